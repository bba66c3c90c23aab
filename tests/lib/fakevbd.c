// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/fakevbd.c - a disk of a domain without a vCPU, at the real daemons.
#include "tests/lib/fakevbd.h"

#include <stdio.h>
#include <string.h>

#define MS 5000

void fakevbd_init(struct fakevbd *v, struct stack *s, unsigned int domid)
{
	*v = (struct fakevbd){ .stack = s, .domid = domid };
	snprintf(v->be, sizeof(v->be), "/local/domain/0/backend/vbd/%u/%u",
		 domid, FAKEVBD_DEVID);
	snprintf(v->fe, sizeof(v->fe), "/local/domain/%u/device/vbd/%u", domid,
		 FAKEVBD_DEVID);
}

/* In the order of reference listings. */
void fakevbd_attach_type(struct fakevbd *v, const char *params,
			 const char *mode, const char *type)
{
	const char *be = v->be, *fe = v->fe;
	struct stack *s = v->stack;
	char id[16];

	snprintf(id, sizeof(id), "%u", v->domid);
	stack_write(s, "test", "/local/domain/%u/name", v->domid);
	stack_write(s, "0", "%s/backend-id", fe);
	stack_write(s, type, "%s/device-type", fe);
	stack_write(s, be, "%s/backend", fe);
	stack_write(s, "1", "%s/state", fe);
	stack_write(s, params, "%s/params", be);
	stack_write(s, id, "%s/frontend-id", be);
	stack_write(s, "1", "%s/online", be);
	stack_write(s, "0", "%s/removable", be);
	stack_write(s, "xvda", "%s/dev", be);
	stack_write(s, "phy", "%s/type", be);
	stack_write(s, mode, "%s/mode", be);
	stack_write(s, type, "%s/device-type", be);
	stack_write(s, fe, "%s/frontend", be);
	stack_write(s, "1", "%s/state", be);
}

void fakevbd_attach(struct fakevbd *v, const char *params, const char *mode)
{
	fakevbd_attach_type(v, params, mode, "disk");
}

void fakevbd_remove(struct fakevbd *v)
{
	stack_rm(v->stack, v->be);
	stack_rm(v->stack, v->fe);
}

static void write_num(struct fakevbd *v, uint64_t n, const char *dir,
		      const char *name)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	stack_write(v->stack, text, "%s/%s", dir, name);
}

void fakevbd_write_ring(struct fakevbd *v, const struct fakeblk *q,
			const char *dir)
{
	char name[24];

	if (q->at.npages == 1) {
		write_num(v, q->at.gref[0], dir, "ring-ref");
	} else {
		write_num(v, (uint64_t)__builtin_ctz(q->at.npages), v->fe,
			  "ring-page-order");
		for (unsigned int i = 0; i < q->at.npages; i++) {
			snprintf(name, sizeof(name), "ring-ref%u", i);
			write_num(v, q->at.gref[i], dir, name);
		}
	}
	write_num(v, q->at.port, dir, "event-channel");
}

void fakevbd_offer(struct fakevbd *v, struct fakedom *dom, enum blk_abi abi,
		   unsigned int order, unsigned int nqueues)
{
	char dir[160];

	v->dom = dom;
	v->nqueues = nqueues;
	if (nqueues > 1)
		write_num(v, nqueues, v->fe, "multi-queue-num-queues");
	for (unsigned int i = 0; i < nqueues; i++) {
		fakeblk_init(&v->q[i], dom, abi, order);
		snprintf(dir, sizeof(dir), nqueues == 1 ? "%s" : "%s/queue-%u",
			 v->fe, i);
		fakevbd_write_ring(v, &v->q[i], dir);
	}
	stack_write(v->stack, blk_layouts[abi].protocol, "%s/protocol", v->fe);
	stack_write(v->stack, "3", "%s/state", v->fe);
}

bool fakevbd_join(struct fakevbd *v)
{
	if (!stack_wait(v->stack, MS, "4", "%s/state", v->be))
		return false;
	stack_write(v->stack, "4", "%s/state", v->fe);
	return true;
}

bool fakevbd_bring_up(struct fakevbd *v, struct fakedom *dom,
		      const char *params, enum blk_abi abi, unsigned int order,
		      unsigned int nqueues)
{
	fakevbd_attach(v, params, "w");
	if (!stack_wait(v->stack, MS, "2", "%s/state", v->be))
		return false;
	fakevbd_offer(v, dom, abi, order, nqueues);
	return fakevbd_join(v);
}

bool fakevbd_step(struct fakevbd *v, const char *mine, const char *answer)
{
	stack_write(v->stack, mine, "%s/state", v->fe);
	return stack_wait(v->stack, MS, answer, "%s/state", v->be);
}

/*
 * Twice: what is seen first may follow from a state of the frontend's that is gone by
 * now, Closed and InitWait both from one, and the worker would connect for that one while
 * the new keys are written.
 */
bool fakevbd_reconnect(struct fakevbd *v)
{
	for (int i = 0; i < 2; i++) {
		if (!fakevbd_step(v, "6", "6") || !fakevbd_step(v, "1", "2"))
			return false;
	}
	fakevbd_offer(v, v->dom, BLK_ABI_X86_64, 0, 1);
	return fakevbd_join(v);
}
