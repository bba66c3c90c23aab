// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/hc_evtchn.c - event_channel_op: arguments of its sub-operations.
#include <errno.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/event_channel.h>

#include "hypervisor/evtchn.h"
#include "hypervisor/hypercall.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"

/*
 * event_channel_op(cmd, struct).  The structures have one layout for both
 * widths.  FIFO operations answer -ENOSYS without a word in the log: every
 * Linux guest asks, and falls back to the 2-level ABI.
 */

/** union arg - Any sub-operation's structure, private to us. */
union arg {
	struct evtchn_alloc_unbound alloc;
	struct evtchn_bind_interdomain interdomain;
	struct evtchn_bind_virq virq;
	struct evtchn_bind_ipi ipi;
	struct evtchn_bind_vcpu vcpu;
	struct evtchn_close close;
	struct evtchn_send send;
	struct evtchn_status status;
	struct evtchn_unmask unmask;
	struct evtchn_reset reset;
};

static int alloc_unbound(struct hc *hc, union arg *a)
{
	int ret = hc_self(hc, a->alloc.dom);

	if (ret)
		return ret;
	return evtchn_alloc_unbound(hc->vm, a->alloc.remote_dom,
				    &a->alloc.port);
}

static int bind_interdomain(struct hc *hc, union arg *a)
{
	return evtchn_bind_interdomain(hc->vm, a->interdomain.remote_dom,
				       a->interdomain.remote_port, hc->vcpu->id,
				       &a->interdomain.local_port);
}

static int bind_virq(struct hc *hc, union arg *a)
{
	return evtchn_bind_virq(hc->vm, a->virq.virq, a->virq.vcpu,
				&a->virq.port);
}

static int bind_ipi(struct hc *hc, union arg *a)
{
	return evtchn_bind_ipi(hc->vm, a->ipi.vcpu, &a->ipi.port);
}

static int bind_vcpu(struct hc *hc, union arg *a)
{
	return evtchn_bind_vcpu(hc->vm, a->vcpu.port, a->vcpu.vcpu);
}

static int do_close(struct hc *hc, union arg *a)
{
	return evtchn_close(hc->vm, a->close.port);
}

static int do_send(struct hc *hc, union arg *a)
{
	return evtchn_send(hc->vm, a->send.port);
}

static int status(struct hc *hc, union arg *a)
{
	int ret = hc_self(hc, a->status.dom);

	return ret ? ret : evtchn_status(hc->vm, &a->status);
}

static int unmask(struct hc *hc, union arg *a)
{
	return evtchn_unmask(hc->vm, a->unmask.port);
}

static int reset(struct hc *hc, union arg *a)
{
	int ret = hc_self(hc, a->reset.dom);

	if (!ret)
		evtchn_reset(hc->vm);
	return ret;
}

/** struct op - A sub-operation: its structure goes in, and out if @out. */
struct op {
	int (*run)(struct hc *hc, union arg *a);
	size_t size;
	bool out;
};

static const struct op ops[] = {
	[EVTCHNOP_bind_interdomain] = { bind_interdomain,
					sizeof(struct evtchn_bind_interdomain),
					true },
	[EVTCHNOP_bind_virq] = { bind_virq, sizeof(struct evtchn_bind_virq),
				 true },
	[EVTCHNOP_close] = { do_close, sizeof(struct evtchn_close), false },
	[EVTCHNOP_send] = { do_send, sizeof(struct evtchn_send), false },
	[EVTCHNOP_status] = { status, sizeof(struct evtchn_status), true },
	[EVTCHNOP_alloc_unbound] = { alloc_unbound,
				     sizeof(struct evtchn_alloc_unbound),
				     true },
	[EVTCHNOP_bind_ipi] = { bind_ipi, sizeof(struct evtchn_bind_ipi),
				true },
	[EVTCHNOP_bind_vcpu] = { bind_vcpu, sizeof(struct evtchn_bind_vcpu),
				 false },
	[EVTCHNOP_unmask] = { unmask, sizeof(struct evtchn_unmask), false },
	[EVTCHNOP_reset] = { reset, sizeof(struct evtchn_reset), false },
};

static bool is_fifo(uint32_t cmd)
{
	return cmd == EVTCHNOP_init_control || cmd == EVTCHNOP_expand_array ||
	       cmd == EVTCHNOP_set_priority;
}

int64_t hc_event_channel_op(struct hc *hc)
{
	uint32_t cmd = (uint32_t)hc->arg[0];
	const struct op *op = NULL;
	union arg a = { .send.port = 0 };
	int ret;

	if (is_fifo(cmd))
		return -ENOSYS;
	if (cmd < ARRAY_SIZE(ops))
		op = &ops[cmd];
	if (!op || !op->run)
		return hc_unknown(hc, cmd);
	if (hc_read(hc, &a, hc->arg[1], op->size))
		return -EFAULT;
	ret = op->run(hc, &a);
	if (ret || !op->out)
		return ret;
	return hc_write(hc, hc->arg[1], &a, op->size);
}
