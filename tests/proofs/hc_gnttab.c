/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/proofs/hc_gnttab.c - V4: grant_table_op with any arguments. */
#include "tests/proofs/env.h"

#include "hypervisor/hc_gnttab.c"

/*
 * PROOF: called
 * OPTIONS: called --unwind 4 --unwindset called.0:14
 * BROKEN: called hypervisor/hc_gnttab.c s/ret = put_frames(hc, list, s.nr_frames)/ret = put_frames(hc, list, s.nr_frames + 1)/
 * BROKEN: called hypervisor/hc_gnttab.c s/status_at = at + offsetof(struct copy32, status)/status_at = at + sizeof(struct copy32)/
 * BROKEN: called hypervisor/hc_gnttab.c s/hc->done \* size/hc->done * op->size64/
 */

#define FRAMES 2

static struct hc hc;
static unsigned int written; /* into elements */

/* Whether these bytes of the guest's are of the element that is being done. */
static bool in_element(uint64_t addr, size_t len)
{
	const struct op *op = &ops[(uint32_t)hc.arg[0] % ARRAY_SIZE(ops)];
	size_t size = hc.longmode ? op->size64 : op->size32;

	return len <= size && addr - (hc.arg[1] + hc.done * size) <= size - len;
}

int hc_read(const struct hc *h, void *to, uint64_t addr, size_t len)
{
	PROVE(h == &hc && in_element(addr, len), "reads the element");
	PROVE(__CPROVER_w_ok(to, len), "into the caller's memory");
	__CPROVER_havoc_object(to);
	return any_bool() ? -EFAULT : 0;
}

int hc_write(const struct hc *h, uint64_t addr, const void *from, size_t len)
{
	bool list = (uint32_t)hc.arg[0] == GNTTABOP_setup_table &&
		    len == (hc.longmode ? 8 : 4);

	PROVE(h == &hc && (list || in_element(addr, len)),
	      "writes into the element, or a list of frames");
	PROVE(__CPROVER_r_ok(from, len), "from the caller's memory");
	written += !list;
	return any_bool() ? -EFAULT : 0;
}

int64_t hc_unknown(struct hc *h, uint64_t subop)
{
	(void)h;
	(void)subop;
	return -ENOSYS;
}

int hc_self(const struct hc *h, uint16_t domid)
{
	(void)h;
	return domid == DOMID_SELF ? 0 : domid ? -ESRCH : -EPERM;
}

/* gnttab.c shows what it does with any fields. */
int16_t gnttab_copy(struct vm *vm, const struct gnttab_copy *op)
{
	(void)vm;
	PROVE(__CPROVER_r_ok(op, sizeof(*op)), "an operation");
	return any_bool() ? GNTST_okay : GNTST_general_error;
}

int gnttab_grow(struct vm *vm, uint64_t nr)
{
	return nr > vm->gnttab.max ? -ENOSPC : 0;
}

/* Any call of up to two elements; more are more of the same turns. */
static void call(uint32_t cmd)
{
	uint32_t count = any_u32();
	int64_t ret;

	ASSUME(count <= 2);
	hc.longmode = any_bool();
	hc.arg[0] = cmd;
	hc.arg[1] = any_u64();
	hc.arg[2] = count;
	ret = hc_grant_table_op(&hc);
	PROVE(ret == 0 || ret == -EFAULT || ret == -ENOSYS || ret == -EINVAL ||
		      ret == -EPERM || ret == -ESRCH,
	      "its results");
	PROVE(ret || hc.done == count, "all of them are done");
	PROVE(ret || written == count, "each has its status");
}

/* One by one: CBMC then knows where each goes. */
void called(void)
{
	static struct physmap_page placed[FRAMES];
	static struct vm vm;
	uint32_t cmd = any_u8();

	vm.gnttab.frame = placed;
	vm.gnttab.max = FRAMES;
	hc.vm = &vm;
	ASSUME(cmd <= ARRAY_SIZE(ops));
	for (uint32_t i = 0; i <= ARRAY_SIZE(ops); i++)
		if (i == cmd)
			call(i);
}
