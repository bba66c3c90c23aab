// SPDX-License-Identifier: GPL-2.0-or-later
// tests/stress/hypercall_stress.c - vCPUs and the domain socket at once.
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>
#include <xen/vcpu.h>

#include "base/log.h"
#include "tests/lib/fakevm.h"

/*
 * Four vCPUs make random hypercalls, each with arguments in a page of its own,
 * while the main thread does what the domain socket's clients ask for.  What
 * ThreadSanitizer watches is that all of it happens under vm->lock; what the
 * test itself sees is that nothing remains in the engine afterwards.
 */
#define VCPUS  4
#define ROUNDS 20000
#define ARG(i) (UINT64_C(0x200000) + (uint64_t)(i)*4096)

static struct fakevm *f;
static atomic_uint running;

static uint32_t next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void call(struct vcpu *v, uint64_t nr, uint64_t a0, uint64_t a1,
		 uint64_t a2)
{
	uint64_t arg[6] = { a0, a1, a2 };
	int64_t ret = hc_begin(&v->hc, 0, true, nr, arg);

	while (ret == HC_AGAIN)
		ret = hc_continue(&v->hc);
}

static void step(struct vcpu *v, uint32_t *seed)
{
	uint64_t at = ARG(v->id);
	uint32_t a[8] = { next(seed) % 48, next(seed) % VCPUS,
			  next(seed) % 48 };

	switch (next(seed) % 6) {
	case 0: /* add_to_physmap: a grant frame or shared_info */
		a[0] = DOMID_SELF;
		a[1] = next(seed) % 2;
		a[2] = a[1] ? next(seed) % 4 : 0;
		a[3] = 0;
		a[4] = 0x300 + next(seed) % 8 + (a[1] ? 16 : 0);
		a[5] = 0;
		memcpy(fakevm_at(f, at), a, sizeof(a));
		call(v, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, at, 0);
		break;
	case 1: /* alloc_unbound for dom0 */
		a[0] = DOMID_SELF;
		memcpy(fakevm_at(f, at), a, sizeof(a));
		call(v, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound,
		     at, 0);
		break;
	case 2:
		memcpy(fakevm_at(f, at), a, sizeof(a));
		call(v, __HYPERVISOR_event_channel_op, next(seed) % 11, at, 0);
		break;
	case 3:
		a[0] = next(seed) % VCPUS;
		a[1] = 0xf3;
		memcpy(fakevm_at(f, at), a, sizeof(a));
		call(v, __HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, at,
		     0);
		break;
	default:
		memcpy(fakevm_at(f, at), a, sizeof(a));
		call(v, __HYPERVISOR_event_channel_op, EVTCHNOP_unmask, at, 0);
		break;
	}
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	uint32_t seed = v->id + 1;

	for (unsigned int i = 0; i < ROUNDS; i++)
		step(v, &seed);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

/* One thing that a client of the domain socket does; Return: if it bound. */
static bool client(const void *owner, uint32_t *seed)
{
	struct vm *vm = &f->vm;
	struct dom_frames frames;
	int kick, call_fd, ret;

	pthread_mutex_lock(&vm->lock);
	ret = evtchn_client_bind(vm, owner, next(seed) % 48, &kick, &call_fd);
	if (evtchn_client_close(vm, owner, next(seed) % 48))
		gnttab_frames(vm, 0, &frames);
	if (next(seed) % 8 == 0)
		evtchn_client_gone(vm, owner);
	pthread_mutex_unlock(&vm->lock);
	vm_timers(vm, util_clock_ns());
	return ret == 0;
}

int main(void)
{
	pthread_t thread[VCPUS];
	unsigned int bound = 0;
	uint32_t seed = 99;

	log_init("hypercall_stress", LOG_LVL_ERR);
	f = fakevm_new(VCPUS);
	atomic_store(&running, VCPUS);
	for (unsigned int i = 0; i < VCPUS; i++) {
		if (pthread_create(&thread[i], NULL, vcpu_thread, &f->vcpu[i]))
			abort();
	}
	while (atomic_load(&running))
		bound += client(&thread[next(&seed) % 3], &seed);
	for (unsigned int i = 0; i < VCPUS; i++)
		pthread_join(thread[i], NULL);
	/* Asserts that the engine has been told to forget everything. */
	fakevm_free(f);
	printf("%sok 1 - vCPUs and clients at once\n", bound ? "" : "not ");
	printf("# %u binds\n1..1\n", bound);
	return bound ? EXIT_SUCCESS : EXIT_FAILURE;
}
