// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/hc_gnttab.c - grant_table_op: arguments of its sub-operations.
#include <errno.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#include "hypervisor/gnttab.h"
#include "hypervisor/hypercall.h"
#include "hypervisor/vm.h"

/*
 * grant_table_op(cmd, array, count).  An error of one element goes into its
 * status; the call itself fails only if arguments cannot be reached.  Guests
 * cannot map other domains' pages here (there are none that a guest could
 * reach), so that map and copy know no domain but the caller.
 */

/* 32-bit layouts that differ: a pointer, and a frame number of 32 bits. */
struct setup_table32 {
	uint16_t dom;
	uint32_t nr_frames;
	int16_t status;
	uint32_t frame_list;
};

struct copy_ptr32 {
	uint32_t ref_or_gmfn;
	uint16_t domid, offset;
};

struct copy32 {
	struct copy_ptr32 source, dest;
	uint16_t len, flags;
	int16_t status;
};

static int16_t status_of(int err)
{
	switch (err) {
	case 0:
		return GNTST_okay;
	case -EPERM:
		return GNTST_permission_denied;
	case -ESRCH:
		return GNTST_bad_domain;
	default:
		return GNTST_general_error;
	}
}

static int64_t query_size(struct hc *hc, uint64_t at)
{
	struct gnttab_query_size q;

	if (hc_read(hc, &q, at, sizeof(q)))
		return -EFAULT;
	q.status = status_of(hc_self(hc, q.dom));
	if (q.status == GNTST_okay) {
		q.nr_frames = hc->vm->gnttab.nr;
		q.max_nr_frames = hc->vm->gnttab.max;
	}
	return hc_write(hc, at, &q, sizeof(q));
}

static int64_t set_version(struct hc *hc, uint64_t at)
{
	struct gnttab_set_version v;

	if (hc_read(hc, &v, at, sizeof(v)))
		return -EFAULT;
	/* Version 2 does not exist here; Linux then stays with 1. */
	if (v.version == 2)
		return -ENOSYS;
	if (v.version != 1)
		return -EINVAL;
	return hc_write(hc, at, &v, sizeof(v));
}

static int64_t get_version(struct hc *hc, uint64_t at)
{
	struct gnttab_get_version v;
	int ret;

	if (hc_read(hc, &v, at, sizeof(v)))
		return -EFAULT;
	ret = hc_self(hc, v.dom);
	if (ret)
		return ret;
	v.version = 1;
	return hc_write(hc, at, &v, sizeof(v));
}

/* Write the frame numbers, in longs of the caller. */
static int64_t put_frames(struct hc *hc, uint64_t list, uint32_t nr)
{
	size_t size = hc->longmode ? 8 : 4;
	uint64_t gfn;

	for (uint32_t i = 0; i < nr; i++) {
		gfn = hc->vm->gnttab.frame[i].gfn;
		if (hc_write(hc, list + i * size, &gfn, size))
			return -EFAULT;
	}
	return 0;
}

static int64_t setup_table(struct hc *hc, uint64_t at)
{
	struct gnttab_setup_table s = { .dom = 0 };
	struct setup_table32 s32;
	uint64_t list, status_at;
	int64_t ret = 0;
	int err;

	if (hc->longmode) {
		ret = hc_read(hc, &s, at, sizeof(s));
		list = (uintptr_t)s.frame_list.p;
		status_at = at + offsetof(struct gnttab_setup_table, status);
	} else {
		ret = hc_read(hc, &s32, at, sizeof(s32));
		s.dom = s32.dom;
		s.nr_frames = s32.nr_frames;
		list = s32.frame_list;
		status_at = at + offsetof(struct setup_table32, status);
	}
	if (ret)
		return ret;
	err = hc_self(hc, s.dom);
	if (!err)
		err = gnttab_grow(hc->vm, s.nr_frames);
	s.status = status_of(err);
	if (!err)
		ret = put_frames(hc, list, s.nr_frames);
	if (ret)
		return ret;
	return hc_write(hc, status_at, &s.status, sizeof(s.status));
}

static int64_t copy(struct hc *hc, uint64_t at)
{
	struct gnttab_copy c = { .len = 0 };
	struct copy32 c32;
	uint64_t status_at;
	int ret;

	if (hc->longmode) {
		ret = hc_read(hc, &c, at, sizeof(c));
		status_at = at + offsetof(struct gnttab_copy, status);
	} else {
		ret = hc_read(hc, &c32, at, sizeof(c32));
		c.source.u.gmfn = c32.source.ref_or_gmfn;
		c.source.domid = c32.source.domid;
		c.source.offset = c32.source.offset;
		c.dest.u.gmfn = c32.dest.ref_or_gmfn;
		c.dest.domid = c32.dest.domid;
		c.dest.offset = c32.dest.offset;
		c.len = c32.len;
		c.flags = c32.flags;
		status_at = at + offsetof(struct copy32, status);
	}
	if (ret)
		return ret;
	c.status = gnttab_copy(hc->vm, &c);
	return hc_write(hc, status_at, &c.status, sizeof(c.status));
}

static int64_t map(struct hc *hc, uint64_t at)
{
	struct gnttab_map_grant_ref m;

	if (hc_read(hc, &m, at, sizeof(m)))
		return -EFAULT;
	m.status = hc_self(hc, m.dom) ? GNTST_bad_domain : GNTST_general_error;
	return hc_write(hc, at + offsetof(struct gnttab_map_grant_ref, status),
			&m.status, sizeof(m.status));
}

static int64_t unmap(struct hc *hc, uint64_t at)
{
	int16_t status = GNTST_bad_handle; /* map has given none out */

	return hc_write(hc,
			at + offsetof(struct gnttab_unmap_grant_ref, status),
			&status, sizeof(status));
}

/** struct op - A sub-operation on an array of structures. */
struct op {
	int64_t (*run)(struct hc *hc, uint64_t at);
	size_t size64, size32; /* of one element, in either layout */
	bool array;	       /* else the count must be 1 */
};

#define SAME(type) sizeof(struct type), sizeof(struct type)

static const struct op ops[] = {
	[GNTTABOP_map_grant_ref] = { map, SAME(gnttab_map_grant_ref), true },
	[GNTTABOP_unmap_grant_ref] = { unmap, SAME(gnttab_unmap_grant_ref),
				       true },
	[GNTTABOP_setup_table] = { setup_table,
				   sizeof(struct gnttab_setup_table),
				   sizeof(struct setup_table32), false },
	[GNTTABOP_copy] = { copy, sizeof(struct gnttab_copy),
			    sizeof(struct copy32), true },
	[GNTTABOP_query_size] = { query_size, SAME(gnttab_query_size), false },
	[GNTTABOP_set_version] = { set_version, SAME(gnttab_set_version),
				   false },
	[GNTTABOP_get_version] = { get_version, SAME(gnttab_get_version),
				   false },
};

int64_t hc_grant_table_op(struct hc *hc)
{
	uint32_t cmd = (uint32_t)hc->arg[0], count = (uint32_t)hc->arg[2];
	const struct op *op = NULL;
	size_t size;
	int64_t ret;

	if (cmd < ARRAY_SIZE(ops))
		op = &ops[cmd];
	if (!op || !op->run)
		return hc_unknown(hc, cmd);
	if (count > INT32_MAX || (!op->array && count != 1))
		return -EINVAL;
	size = hc->longmode ? op->size64 : op->size32;
	for (unsigned int n = 0; hc->done < count; n++, hc->done++) {
		if (n == HC_BATCH)
			return HC_AGAIN;
		ret = op->run(hc, hc->arg[1] + hc->done * size);
		if (ret)
			return ret;
	}
	return 0;
}
