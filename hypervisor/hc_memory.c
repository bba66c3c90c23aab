// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/hc_memory.c - memory_op: arguments of its sub-operations.
#include <errno.h>
#include <stdint.h>
#include <stddef.h>

#include <xen/xen.h>
#include <xen/memory.h>

#include "hypervisor/boot.h"
#include "hypervisor/hypercall.h"
#include "hypervisor/layout.h"
#include "hypervisor/vm.h"

/*
 * memory_op(cmd, struct).  The bits of cmd above the lowest six are where to
 * start in a list of extents (MEMOP_EXTENT_SHIFT in Xen's sources).
 */
#define CMD_BITS 6
#define CMD_MASK ((1u << CMD_BITS) - 1)

/* Largest extent of an unprivileged domain: 2 MiB. */
#define MAX_ORDER 9

/* Structures as 32-bit callers lay them out. */
struct reservation32 {
	uint32_t extent_start, nr_extents, extent_order, mem_flags;
	uint16_t domid;
};

struct add32 {
	uint16_t domid, size;
	uint32_t space, idx, gpfn;
};

struct batch32 {
	uint16_t domid, space, size, extra;
	uint32_t idxs, gpfns, errs;
};

struct remove32 {
	uint16_t domid;
	uint32_t gpfn;
};

struct memory_map32 {
	uint32_t nr_entries, buffer;
};

/** struct e820 - An entry of XENMEM_memory_map's buffer. */
struct e820 {
	uint64_t addr, size;
	uint32_t type;
} __attribute__((packed));

static int place(struct hc *hc, uint32_t space, uint64_t idx, uint64_t gfn)
{
	int ret;

	switch (space) {
	case XENMAPSPACE_shared_info:
		if (idx != 0)
			return -EINVAL;
		return shinfo_place(hc->vm, gfn, hc->longmode);
	case XENMAPSPACE_grant_table:
		/* Status frames belong to version 2. */
		if (idx & XENMAPIDX_grant_table_status)
			return -EINVAL;
		ret = gnttab_place(hc->vm, idx, gfn);
		return ret == -ENOSPC ? -EINVAL : ret;
	default:
		return -ENOSYS;
	}
}

static int64_t add_to_physmap(struct hc *hc)
{
	struct xen_add_to_physmap a = { .domid = 0 };
	struct add32 a32;
	int ret;

	if (hc->longmode) {
		ret = hc_read(hc, &a, hc->arg[1], sizeof(a));
	} else {
		ret = hc_read(hc, &a32, hc->arg[1], sizeof(a32));
		a.domid = a32.domid;
		a.space = a32.space;
		a.idx = a32.idx;
		a.gpfn = a32.gpfn;
	}
	if (!ret)
		ret = hc_self(hc, a.domid);
	return ret ? ret : place(hc, a.space, a.idx, a.gpfn);
}

/** struct batch - struct xen_add_to_physmap_batch for either width. */
struct batch {
	uint16_t domid, space, size, extra;
	uint64_t idxs, gpfns, errs;
};

static int read_batch(struct hc *hc, struct batch *b)
{
	struct batch32 b32;
	int ret;

	_Static_assert(sizeof(*b) == sizeof(struct xen_add_to_physmap_batch),
		       "struct batch is the 64-bit layout");
	if (hc->longmode)
		return hc_read(hc, b, hc->arg[1], sizeof(*b));
	ret = hc_read(hc, &b32, hc->arg[1], sizeof(b32));
	if (!ret)
		*b = (struct batch){ b32.domid, b32.space, b32.size, b32.extra,
				     b32.idxs,	b32.gpfns, b32.errs };
	return ret;
}

/*
 * Returns 0, or what one element needs to say.  The structure is read again
 * after HC_AGAIN: a guest that changes it meanwhile changes its own call.
 */
static int64_t add_to_physmap_batch(struct hc *hc)
{
	size_t size = hc->longmode ? 8 : 4;
	uint64_t idx = 0, gfn = 0;
	struct batch b;
	int32_t err;
	int ret;

	ret = read_batch(hc, &b);
	if (!ret)
		ret = hc_self(hc, b.domid);
	if (ret)
		return ret;
	if (b.extra != 0)
		return -EINVAL;
	for (unsigned int n = 0; hc->done < b.size; n++, hc->done++) {
		if (n == HC_BATCH)
			return HC_AGAIN;
		if (hc_read(hc, &idx, b.idxs + hc->done * size, size) ||
		    hc_read(hc, &gfn, b.gpfns + hc->done * size, size))
			return -EFAULT;
		err = place(hc, b.space, idx, gfn);
		if (hc_write(hc, b.errs + hc->done * sizeof(err), &err,
			     sizeof(err)))
			return -EFAULT;
	}
	return 0;
}

static int64_t remove_from_physmap(struct hc *hc)
{
	struct xen_remove_from_physmap r = { .domid = 0 };
	struct remove32 r32;
	int ret;

	if (hc->longmode) {
		ret = hc_read(hc, &r, hc->arg[1], sizeof(r));
	} else {
		ret = hc_read(hc, &r32, hc->arg[1], sizeof(r32));
		r.domid = r32.domid;
		r.gpfn = r32.gpfn;
	}
	if (!ret)
		ret = hc_self(hc, r.domid);
	if (ret)
		return ret;
	if (gnttab_unplace(hc->vm, r.gpfn))
		return 0;
	return memory_give(hc->vm, r.gpfn, 1);
}

/** struct reservation - struct xen_memory_reservation for either width. */
struct reservation {
	uint64_t extent_start, nr_extents;
	uint32_t extent_order, mem_flags;
	uint16_t domid;
};

static int read_reservation(struct hc *hc, struct reservation *r)
{
	struct reservation32 r32;
	int ret;

	_Static_assert(sizeof(*r) == sizeof(struct xen_memory_reservation),
		       "struct reservation is the 64-bit layout");
	if (hc->longmode)
		return hc_read(hc, r, hc->arg[1], sizeof(*r));
	ret = hc_read(hc, &r32, hc->arg[1], sizeof(r32));
	if (!ret)
		*r = (struct reservation){ r32.extent_start, r32.nr_extents,
					   r32.extent_order, r32.mem_flags,
					   r32.domid };
	return ret;
}

/* Both return the number of extents done; the first that fails ends it. */
static int64_t change(struct hc *hc,
		      int (*one)(struct vm *vm, uint64_t gfn, uint64_t npages))
{
	size_t size = hc->longmode ? 8 : 4;
	uint64_t start = (uint32_t)hc->arg[0] >> CMD_BITS;
	uint64_t gfn = 0, pages = 0;
	struct reservation r;
	int ret;

	ret = read_reservation(hc, &r);
	if (ret)
		return ret;
	hc->done = MAX(hc->done, start);
	if (hc_self(hc, r.domid) || r.extent_order > MAX_ORDER ||
	    r.nr_extents > INT32_MAX)
		return (int64_t)hc->done;
	for (; hc->done < r.nr_extents; hc->done++) {
		if (pages >= HC_BATCH)
			return HC_AGAIN;
		pages += UINT64_C(1) << r.extent_order;
		if (hc_read(hc, &gfn, r.extent_start + hc->done * size, size))
			break;
		if (gfn & ((UINT64_C(1) << r.extent_order) - 1) ||
		    one(hc->vm, gfn, UINT64_C(1) << r.extent_order))
			break;
	}
	return (int64_t)hc->done;
}

static int64_t decrease_reservation(struct hc *hc)
{
	return change(hc, memory_give);
}

static int64_t populate_physmap(struct hc *hc)
{
	return change(hc, memory_take);
}

static int64_t memory_map(struct hc *hc)
{
	struct boot_range range[BOOT_MAX_RANGES];
	struct xen_memory_map m = { .nr_entries = 0 };
	unsigned int n = boot_memmap(hc->vm->mem, range);
	struct memory_map32 m32;
	uint64_t buffer;
	struct e820 e;
	int ret;

	if (hc->longmode) {
		ret = hc_read(hc, &m, hc->arg[1], sizeof(m));
		buffer = (uintptr_t)m.buffer.p;
	} else {
		ret = hc_read(hc, &m32, hc->arg[1], sizeof(m32));
		m.nr_entries = m32.nr_entries;
		buffer = m32.buffer;
	}
	n = MIN(n, m.nr_entries);
	for (unsigned int i = 0; i < n && !ret; i++) {
		e = (struct e820){ range[i].gpa, range[i].size, range[i].type };
		ret = hc_write(hc, buffer + i * sizeof(e), &e, sizeof(e));
	}
	if (ret)
		return ret;
	return hc_write(hc, hc->arg[1], &n, sizeof(n));
}

/* The three below take a domid and answer with a number. */
static int64_t with_domid(struct hc *hc, uint64_t value)
{
	uint16_t domid;
	int ret;

	if (hc_read(hc, &domid, hc->arg[1], sizeof(domid)))
		return -EFAULT;
	ret = hc_self(hc, domid);
	return ret ? ret : (int64_t)value;
}

static int64_t current_reservation(struct hc *hc)
{
	return with_domid(hc, memory_pages(hc->vm));
}

static int64_t maximum_reservation(struct hc *hc)
{
	return with_domid(hc, hc->vm->mem->size >> SV_PAGE_SHIFT);
}

static uint64_t highest_gfn(const struct vm *vm)
{
	const struct guestmem_region *r = &vm->mem->region[vm->mem->n - 1];
	uint64_t ram = (r->gpa.v + r->size) >> SV_PAGE_SHIFT;

	return MAX(ram - 1, LAYOUT_CONSOLE >> SV_PAGE_SHIFT);
}

static int64_t maximum_gpfn(struct hc *hc)
{
	return with_domid(hc, highest_gfn(hc->vm));
}

static int64_t maximum_ram_page(struct hc *hc)
{
	return (int64_t)highest_gfn(hc->vm);
}

static int64_t not_supported(struct hc *hc)
{
	(void)hc;
	return -EOPNOTSUPP;
}

static int64_t not_permitted(struct hc *hc)
{
	(void)hc;
	return -EPERM;
}

static int64_t (*const ops[])(struct hc *hc) = {
	[XENMEM_decrease_reservation] = decrease_reservation,
	[XENMEM_maximum_ram_page] = maximum_ram_page,
	[XENMEM_current_reservation] = current_reservation,
	[XENMEM_maximum_reservation] = maximum_reservation,
	[XENMEM_populate_physmap] = populate_physmap,
	[XENMEM_add_to_physmap] = add_to_physmap,
	[XENMEM_memory_map] = memory_map,
	[XENMEM_machine_memory_map] = not_permitted,
	[XENMEM_set_memory_map] = not_permitted,
	[XENMEM_maximum_gpfn] = maximum_gpfn,
	[XENMEM_remove_from_physmap] = remove_from_physmap,
	[XENMEM_add_to_physmap_batch] = add_to_physmap_batch,
	[XENMEM_get_vnumainfo] = not_supported, /* as Xen without vNUMA */
};

int64_t hc_memory_op(struct hc *hc)
{
	uint32_t cmd = (uint32_t)hc->arg[0] & CMD_MASK;
	int64_t ret;

	if (cmd >= ARRAY_SIZE(ops) || !ops[cmd])
		return hc_unknown(hc, cmd);
	ret = ops[cmd](hc);
	return ret == -ENOSYS ? hc_unknown(hc, cmd) : ret;
}
