// SPDX-License-Identifier: GPL-2.0-or-later
// tests/fuzz/evtchn_fuzz.c - event channels against a table of what they are.
//
// FUZZ: F14; max_len 640
//
// Guest calls on four vCPUs and two backends that bind and leave, in any order.
// Each answer, each port's status and pending bit, and whom the engine was told
// to notify must be as in the model; nothing else of shared_info changes.
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/event_channel.h>

#include "base/log.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/fuzz.h"

#define PORTS 32u /* that the model knows; more are not made */
#define VCPUS 4u

struct step {
	uint8_t what, port, arg, vcpu;
};

struct port {
	uint8_t type; /* EVTCHNSTAT_* */
	unsigned int vcpu, remote, peer, virq;
	int client; /* which has it, from 1; 0: none */
	bool pending, masked;
};

static struct fakevm *f;
static struct port model[PORTS];

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	return fuzz_mutate_records(data, size, max, seed, 0,
				   sizeof(struct step));
}

/* ---- The model ------------------------------------------------------------ */

static struct port *get(uint32_t port)
{
	if (!port || port >= PORTS || model[port].type == EVTCHNSTAT_closed)
		return NULL;
	return &model[port];
}

static uint32_t lowest_free(void)
{
	uint32_t i = 1;

	while (i < PORTS && model[i].type != EVTCHNSTAT_closed)
		i++;
	return i;
}

static uint32_t make(uint8_t type, unsigned int vcpu)
{
	uint32_t port = lowest_free();

	/* The mask bit is the guest's: a new port has it as it was. */
	model[port] = (struct port){ .type = type,
				     .vcpu = vcpu,
				     .masked = model[port].masked };
	return port;
}

static bool percpu(unsigned int virq)
{
	return virq == VIRQ_TIMER || virq == VIRQ_DEBUG ||
	       virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
}

static bool virq_taken(unsigned int virq, unsigned int vcpu)
{
	for (uint32_t i = 1; i < PORTS; i++)
		if (model[i].type == EVTCHNSTAT_virq && model[i].virq == virq &&
		    (!percpu(virq) || model[i].vcpu == vcpu))
			return true;
	return false;
}

static void unmake(uint32_t port)
{
	struct port *p = &model[port];

	if (p->type == EVTCHNSTAT_interdomain && !p->client) {
		model[p->peer].type = EVTCHNSTAT_unbound;
		model[p->peer].peer = 0;
	}
	*p = (struct port){ .type = EVTCHNSTAT_closed, .masked = p->masked };
}

/* ---- Guest calls, each beside what the model makes of it ------------------- */

static int call(unsigned int vcpu, uint32_t cmd, void *arg, size_t size)
{
	struct hc *hc = &f->vcpu[vcpu].hc;
	uint64_t at = 0x200000, regs[6] = { cmd, at };
	int64_t ret;

	memcpy(fakevm_at(f, at), arg, size);
	ret = hc_begin(hc, 0, true, __HYPERVISOR_event_channel_op, regs);
	memcpy(arg, fakevm_at(f, at), size);
	return (int)ret;
}

static void alloc_unbound(const struct step *s)
{
	struct evtchn_alloc_unbound a = { .dom = DOMID_SELF,
					  .remote_dom = s->arg & 1 ? 0
							: s->arg & 2
								? DOMID_SELF
								: 3 };

	if (lowest_free() == PORTS)
		return;
	assert(!call(s->vcpu, EVTCHNOP_alloc_unbound, &a, sizeof(a)));
	assert(a.port == lowest_free());
	make(EVTCHNSTAT_unbound, 0);
	model[a.port].remote = a.remote_dom == DOMID_SELF ? FAKEVM_DOMID
							  : a.remote_dom;
}

static void bind_interdomain(const struct step *s)
{
	struct evtchn_bind_interdomain b = {
		.remote_dom = s->arg & 1 ? FAKEVM_DOMID : DOMID_SELF,
		.remote_port = s->port % PORTS,
	};
	struct port *q = get(b.remote_port);
	bool ok = q && q->type == EVTCHNSTAT_unbound &&
		  q->remote == FAKEVM_DOMID;
	int ret;

	if (s->arg & 2) {
		b.remote_dom = 0;
		ok = false;
	}
	if (lowest_free() == PORTS)
		return;
	ret = call(s->vcpu, EVTCHNOP_bind_interdomain, &b, sizeof(b));
	assert(ret == (ok ? 0 : -EINVAL));
	if (!ok)
		return;
	assert(b.local_port == make(EVTCHNSTAT_interdomain, s->vcpu));
	model[b.local_port].remote = FAKEVM_DOMID;
	model[b.local_port].peer = b.remote_port;
	model[b.local_port].pending = true;
	q->type = EVTCHNSTAT_interdomain;
	q->peer = b.local_port;
}

static void bind_virq(const struct step *s)
{
	struct evtchn_bind_virq b = { .virq = s->arg % 26,
				      .vcpu = s->port % 6 };
	int want = 0;

	if (lowest_free() == PORTS)
		return;
	if (b.virq >= NR_VIRQS || (b.vcpu && !percpu(b.virq)))
		want = -EINVAL;
	else if (b.vcpu >= VCPUS)
		want = -ENOENT;
	else if (virq_taken(b.virq, b.vcpu))
		want = -EEXIST;
	assert(call(s->vcpu, EVTCHNOP_bind_virq, &b, sizeof(b)) == want);
	if (want)
		return;
	assert(b.port == make(EVTCHNSTAT_virq, b.vcpu));
	model[b.port].virq = b.virq;
}

static void bind_ipi(const struct step *s)
{
	struct evtchn_bind_ipi b = { .vcpu = s->arg % 6 };
	int want = b.vcpu < VCPUS ? 0 : -ENOENT;

	if (lowest_free() == PORTS)
		return;
	assert(call(s->vcpu, EVTCHNOP_bind_ipi, &b, sizeof(b)) == want);
	if (!want)
		assert(b.port == make(EVTCHNSTAT_ipi, b.vcpu));
}

static void bind_vcpu(const struct step *s)
{
	struct evtchn_bind_vcpu b = { .port = s->port % PORTS,
				      .vcpu = s->arg % 6 };
	struct port *p = get(b.port);
	int want = 0;

	if (b.vcpu >= VCPUS)
		want = -ENOENT;
	else if (!p || p->type == EVTCHNSTAT_ipi ||
		 (p->type == EVTCHNSTAT_virq && percpu(p->virq)))
		want = -EINVAL;
	assert(call(s->vcpu, EVTCHNOP_bind_vcpu, &b, sizeof(b)) == want);
	if (!want)
		p->vcpu = b.vcpu;
}

static void do_close(const struct step *s)
{
	struct evtchn_close c = { .port = s->port % (PORTS + 1) };
	int want = get(c.port) ? 0 : -EINVAL;

	assert(call(s->vcpu, EVTCHNOP_close, &c, sizeof(c)) == want);
	if (!want)
		unmake(c.port);
}

static void do_send(const struct step *s)
{
	struct evtchn_send e = { .port = s->port % (PORTS + 1) };
	struct port *p = get(e.port);
	int want = p && (p->type == EVTCHNSTAT_unbound ||
			 p->type == EVTCHNSTAT_ipi ||
			 p->type == EVTCHNSTAT_interdomain)
			   ? 0
			   : -EINVAL;
	eventfd_t n;

	assert(call(s->vcpu, EVTCHNOP_send, &e, sizeof(e)) == want);
	if (want || p->type == EVTCHNSTAT_unbound)
		return;
	if (p->type == EVTCHNSTAT_ipi)
		p->pending = true;
	else if (!p->client)
		model[p->peer].pending = true;
	else /* its own kick was taken when it bound */
		assert(!eventfd_read(f->send_fd[e.port], &n) && n == 1);
}

static void unmask(const struct step *s)
{
	struct evtchn_unmask u = { .port = s->port % (PORTS + 1) };
	struct port *p = get(u.port);
	unsigned int before = u.port < PORTS ? f->raised[u.port] : 0;
	bool told;

	assert(call(s->vcpu, EVTCHNOP_unmask, &u, sizeof(u)) ==
	       (p ? 0 : -EINVAL));
	if (!p)
		return;
	/* What came while it was masked must be told now, and to whom it is. */
	told = p->masked && p->pending;
	assert(f->raised[u.port] == before + told);
	assert(!told || f->raised_on[u.port] == p->vcpu);
	p->masked = false;
}

static void reset(void)
{
	struct evtchn_reset r = { .dom = DOMID_SELF };

	assert(!call(0, EVTCHNOP_reset, &r, sizeof(r)));
	for (uint32_t i = 1; i < PORTS; i++)
		unmake(i);
}

/* ---- Backends ------------------------------------------------------------- */

static void client_bind(const struct step *s)
{
	uint32_t port = s->port % (PORTS + 1);
	int who = 1 + (s->arg & 1), kick, fd, want = -EINVAL;
	struct port *p = get(port);
	eventfd_t n;

	if (p && p->type == EVTCHNSTAT_interdomain && p->client)
		want = -EBUSY;
	else if (p && p->type == EVTCHNSTAT_unbound && p->remote == 0)
		want = 0;
	assert(evtchn_client_bind(&f->vm, &model[who], port, &kick, &fd) ==
	       want);
	if (want)
		return;
	assert(!eventfd_read(kick, &n) && n == 1);
	p->type = EVTCHNSTAT_interdomain;
	p->client = who;
	p->pending = true;
}

static void unbind(struct port *p)
{
	p->type = EVTCHNSTAT_unbound;
	p->client = 0;
}

static void client_close(const struct step *s)
{
	uint32_t port = s->port % (PORTS + 1);
	int who = 1 + (s->arg & 1);
	struct port *p = get(port);
	int want = p && p->client == who ? 0 : -EINVAL;

	assert(evtchn_client_close(&f->vm, &model[who], port) == want);
	if (!want)
		unbind(p);
}

static void client_gone(const struct step *s)
{
	int who = 1 + (s->arg & 1);

	evtchn_client_gone(&f->vm, &model[who]);
	for (uint32_t i = 1; i < PORTS; i++)
		if (model[i].client == who)
			unbind(&model[i]);
}

/* The guest takes an event, or masks a port, by its bitmaps. */
static void guest_bits(const struct step *s)
{
	shared_info_t *si = (shared_info_t *)(void *)f->vm.shinfo.page.host;
	uint32_t port = 1 + s->port % (PORTS - 1);
	uint64_t bit = UINT64_C(1) << (port % 64);

	if (s->arg & 1) {
		si->evtchn_mask[0] |= bit;
		model[port].masked = true;
	} else {
		si->evtchn_pending[0] &= ~bit;
		model[port].pending = false;
	}
}

static void virq(const struct step *s)
{
	unsigned int which = s->arg % NR_VIRQS, vcpu = s->vcpu;

	evtchn_virq(&f->vm, which, vcpu);
	for (uint32_t i = 1; i < PORTS; i++)
		if (model[i].type == EVTCHNSTAT_virq &&
		    model[i].virq == which &&
		    (!percpu(which) || model[i].vcpu == vcpu))
			model[i].pending = true;
}

/* ---- Comparing ------------------------------------------------------------ */

static void check_port(uint32_t i)
{
	const struct port *p = &model[i];
	struct evtchn_status st = { .dom = DOMID_SELF, .port = i };

	assert(!call(0, EVTCHNOP_status, &st, sizeof(st)));
	assert(st.status == p->type);
	assert(shinfo_pending(&f->vm, i) == p->pending);
	assert((f->irq_fd[i] >= 0) == (p->client != 0));
	assert((f->send_fd[i] >= 0) == (p->client != 0));
	if (p->client)
		assert(f->irq_vcpu[i] == p->vcpu);
	if (p->type == EVTCHNSTAT_closed)
		return;
	assert(st.vcpu == p->vcpu);
	if (p->type == EVTCHNSTAT_unbound)
		assert(st.u.unbound.dom == p->remote);
	if (p->type == EVTCHNSTAT_virq)
		assert(st.u.virq == p->virq);
	if (p->type == EVTCHNSTAT_interdomain && !p->client)
		assert(st.u.interdomain.port == p->peer &&
		       f->send_port[i] == p->peer);
}

/* Pending and mask bits of these ports are all that changes. */
static void check_page(const shared_info_t *first)
{
	shared_info_t now;

	memcpy(&now, f->vm.shinfo.page.host, sizeof(now));
	assert(!(now.evtchn_pending[0] >> PORTS));
	assert(!(now.evtchn_mask[0] >> PORTS));
	now.evtchn_pending[0] = now.evtchn_mask[0] = 0;
	assert(!memcmp(&now, first, sizeof(now)));
}

static void step(const struct step *s)
{
	static void (*const acts[])(const struct step *) = {
		alloc_unbound, bind_interdomain, bind_virq,   bind_ipi,
		bind_vcpu,     do_close,	 do_send,     unmask,
		client_bind,   client_close,	 client_gone, guest_bits,
		virq,	       alloc_unbound,	 client_bind,
	};
	unsigned int what = s->what % (ARRAY_SIZE(acts) + 1);

	if (what == ARRAY_SIZE(acts))
		reset();
	else
		acts[what](s);
	for (uint32_t i = 1; i < PORTS; i++)
		check_port(i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static shared_info_t first;
	struct step s;

	log_init("", LOG_LVL_ERR);
	f = fakevm_new(VCPUS);
	memset(model, 0, sizeof(model));
	model[1].type = model[2].type = EVTCHNSTAT_unbound;
	memcpy(&first, f->vm.shinfo.page.host, sizeof(first));
	for (; size >= sizeof(s); size -= sizeof(s), data += sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		s.vcpu %= VCPUS;
		step(&s);
	}
	check_page(&first);
	/* Asserts that the engine can forget everything. */
	fakevm_free(f);
	return 0;
}
