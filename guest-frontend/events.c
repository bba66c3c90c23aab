/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/events.c - event channels, and time to wait for them. */
#include "guest-frontend/events.h"

#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

#include "guest-frontend/cpu.h"
#include "guest-frontend/hypercall.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/start.h"

#define WORD_BITS 64u
#define WORDS	  (EVENTS_PORTS / WORD_BITS)

/* Xen's "by vector" in HVM_PARAM_CALLBACK_IRQ (xen/hvm/params.h). */
#define BY_VECTOR (UINT64_C(2) << 56)

static struct shared_info *shared;
static uint64_t fired[WORDS]; /* events that nobody has taken yet */
/* Ports bound to each vCPU: one that took another's would not wake who waits. */
static uint64_t owned[EVENTS_CPUS][WORDS];
static uint32_t timer_port[EVENTS_CPUS];

/* Called by the upcall's stub, with interrupts off. */
void events_upcall(void);

void events_upcall(void)
{
	unsigned int cpu = cpu_id(), w;
	struct vcpu_info *v = &shared->vcpu_info[cpu];
	uint64_t words, bits;

	__atomic_store_n(&v->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
	words = __atomic_exchange_n(&v->evtchn_pending_sel, 0,
				    __ATOMIC_SEQ_CST);
	while (words) {
		w = (unsigned int)__builtin_ctzl(words);
		words &= words - 1;
		bits = __atomic_load_n(&shared->evtchn_pending[w],
				       __ATOMIC_SEQ_CST) &
		       ~__atomic_load_n(&shared->evtchn_mask[w],
					__ATOMIC_SEQ_CST) &
		       __atomic_load_n(&owned[cpu][w], __ATOMIC_SEQ_CST);
		__atomic_and_fetch(&shared->evtchn_pending[w], ~bits,
				   __ATOMIC_SEQ_CST);
		__atomic_or_fetch(&fired[w], bits, __ATOMIC_SEQ_CST);
	}
}

static int place_shared_info(void)
{
	void *page = shared ? shared : pages_alloc(1);
	struct xen_add_to_physmap xatp = {
		.domid = DOMID_SELF,
		.space = XENMAPSPACE_shared_info,
	};
	long ret;

	if (!page)
		return -XEN_ENOMEM;
	xatp.gpfn = page_gfn(page);
	ret = hypercall_memory_op(XENMEM_add_to_physmap, &xatp);
	if (ret)
		return (int)ret;
	shared = page;
	for (unsigned int i = 0; i < WORDS; i++)
		__atomic_store_n(&shared->evtchn_mask[i], UINT64_MAX,
				 __ATOMIC_SEQ_CST);
	memset(fired, 0, sizeof(fired));
	memset(owned, 0, sizeof(owned));
	return 0;
}

/* From now on vCPU @cpu, to which @port is bound, takes its events. */
static void use_on(uint32_t port, unsigned int cpu)
{
	struct evtchn_unmask op = { .port = port };
	uint64_t bit = UINT64_C(1) << port % WORD_BITS;

	for (unsigned int i = 0; i < EVENTS_CPUS; i++) {
		if (i != cpu)
			__atomic_and_fetch(&owned[i][port / WORD_BITS], ~bit,
					   __ATOMIC_SEQ_CST);
	}
	__atomic_or_fetch(&owned[cpu][port / WORD_BITS], bit, __ATOMIC_SEQ_CST);
	(void)hypercall_event_channel_op(EVTCHNOP_unmask, &op);
}

static void mask(uint32_t port)
{
	__atomic_or_fetch(&shared->evtchn_mask[port / WORD_BITS],
			  UINT64_C(1) << port % WORD_BITS, __ATOMIC_SEQ_CST);
}

void events_use(uint32_t port)
{
	use_on(port, 0);
}

int events_init(void)
{
	struct xen_hvm_param callback = {
		.domid = DOMID_SELF,
		.index = HVM_PARAM_CALLBACK_IRQ,
		.value = BY_VECTOR | START_UPCALL_VECTOR,
	};
	long ret;

	ret = place_shared_info();
	if (!ret)
		ret = hypercall_hvm_op(HVMOP_set_param, &callback);
	return ret ? (int)ret : events_init_cpu();
}

int events_init_cpu(void)
{
	struct evtchn_bind_virq timer = { .virq = VIRQ_TIMER,
					  .vcpu = cpu_id() };
	long ret = hypercall_event_channel_op(EVTCHNOP_bind_virq, &timer);

	if (ret)
		return (int)ret;
	timer_port[cpu_id()] = timer.port;
	use_on(timer.port, cpu_id());
	cpu_irq_on();
	return 0;
}

int events_ipi(unsigned int cpu, uint32_t *port)
{
	struct evtchn_bind_ipi op = { .vcpu = cpu };
	long ret = hypercall_event_channel_op(EVTCHNOP_bind_ipi, &op);

	if (ret)
		return (int)ret;
	(void)events_take(op.port);
	use_on(op.port, cpu);
	*port = op.port;
	return 0;
}

int events_to_cpu(uint32_t port, unsigned int cpu)
{
	struct evtchn_bind_vcpu op = { .port = port, .vcpu = cpu };
	long ret = hypercall_event_channel_op(EVTCHNOP_bind_vcpu, &op);

	if (ret)
		return (int)ret;
	/* What is pending is raised again, for the new one. */
	mask(port);
	use_on(port, cpu);
	return 0;
}

int events_alloc(unsigned int remote, uint32_t *port)
{
	struct evtchn_alloc_unbound op = {
		.dom = DOMID_SELF,
		.remote_dom = (domid_t)remote,
	};
	long ret = hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op);

	if (ret)
		return (int)ret;
	(void)events_take(op.port);
	events_use(op.port);
	*port = op.port;
	return 0;
}

int events_bind(unsigned int remote, uint32_t peer, uint32_t *port)
{
	struct evtchn_bind_interdomain op = {
		.remote_dom = (domid_t)remote,
		.remote_port = peer,
	};
	long ret = hypercall_event_channel_op(EVTCHNOP_bind_interdomain, &op);

	if (ret)
		return (int)ret;
	(void)events_take(op.local_port);
	events_use(op.local_port);
	*port = op.local_port;
	return 0;
}

void events_close(uint32_t port)
{
	struct evtchn_close op = { .port = port };

	mask(port);
	(void)hypercall_event_channel_op(EVTCHNOP_close, &op);
}

void events_send(uint32_t port)
{
	struct evtchn_send op = { .port = port };

	(void)hypercall_event_channel_op(EVTCHNOP_send, &op);
}

bool events_take(uint32_t port)
{
	uint64_t bit = UINT64_C(1) << port % WORD_BITS;
	uint64_t *word = &fired[port / WORD_BITS];

	return __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST) & bit;
}

bool events_take_timer(void)
{
	return events_take(timer_port[cpu_id()]);
}

static void set_timer(uint64_t at)
{
	struct vcpu_set_singleshot_timer t = { .timeout_abs_ns = at };

	(void)hypercall_vcpu_op(VCPUOP_set_singleshot_timer, cpu_id(), &t);
}

uint64_t events_deadline(uint64_t ns)
{
	uint64_t now = events_now();

	return ns < EVENTS_FOREVER - now ? now + ns : EVENTS_FOREVER;
}

bool events_wait(uint32_t port, uint64_t ns)
{
	uint64_t until = events_deadline(ns);
	bool taken;

	if (until != EVENTS_FOREVER)
		set_timer(until);
	for (;;) {
		cpu_irq_off();
		taken = events_take(port);
		if (taken || events_now() >= until)
			break;
		cpu_irq_on_and_halt();
	}
	cpu_irq_on();
	return taken;
}

void events_sleep(uint64_t ns)
{
	/* The timer's own event is nobody else's. */
	uint64_t until = events_deadline(ns), now;

	while ((now = events_now()) < until)
		(void)events_wait(timer_port[cpu_id()], until - now);
}

uint64_t events_now(void)
{
	return events_at(cpu_tsc());
}

/* shared_info says when system time was 0; Xen's struct shared_info. */
uint64_t events_wall(void)
{
	uint32_t version, sec, ns;

	do {
		version =
			__atomic_load_n(&shared->wc_version, __ATOMIC_ACQUIRE);
		sec = __atomic_load_n(&shared->wc_sec, __ATOMIC_RELAXED);
		ns = __atomic_load_n(&shared->wc_nsec, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (version & 1 || version != __atomic_load_n(&shared->wc_version,
							   __ATOMIC_RELAXED));
	return sec * UINT64_C(1000000000) + ns + events_now();
}

/* Xen's pvclock: struct vcpu_time_info in xen/xen.h. */
uint64_t events_at(uint64_t tsc)
{
	struct vcpu_time_info *t = &shared->vcpu_info[cpu_id()].time;
	uint32_t version, mul;
	uint64_t base, stamp, delta, ns;
	int8_t shift;

	do {
		version = __atomic_load_n(&t->version, __ATOMIC_ACQUIRE);
		stamp = __atomic_load_n(&t->tsc_timestamp, __ATOMIC_RELAXED);
		base = __atomic_load_n(&t->system_time, __ATOMIC_RELAXED);
		mul = __atomic_load_n(&t->tsc_to_system_mul, __ATOMIC_RELAXED);
		shift = __atomic_load_n(&t->tsc_shift, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (version & 1 ||
		 version != __atomic_load_n(&t->version, __ATOMIC_RELAXED));
	delta = tsc >= stamp ? tsc - stamp : stamp - tsc;
	delta = shift < 0 ? delta >> -shift : delta << shift;
	ns = (uint64_t)((unsigned __int128)delta * mul >> 32);
	return tsc >= stamp ? base + ns : base - ns;
}
