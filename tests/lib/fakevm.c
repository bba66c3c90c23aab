// SPDX-License-Identifier: GPL-2.0-or-later
// tests/lib/fakevm.c - a domain without KVM, for tests of the hypervisor.
#include "tests/lib/fakevm.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <xen/vcpu.h>

#include "base/fd.h"

static struct fakevm *of(struct vm *vm)
{
	return container_of(vm, struct fakevm, vm);
}

static int may_fail(struct vm *vm)
{
	int ret = of(vm)->fail;

	if (ret && of(vm)->fail_after) {
		of(vm)->fail_after--;
		return 0;
	}
	of(vm)->fail = 0;
	return ret;
}

static int fake_slot(struct vm *vm, unsigned int slot, gpa_t gpa,
		     void SHM *host, uint64_t size)
{
	uint64_t *at = of(vm)->slot_gpa;

	(void)host;
	assert(slot < FAKEVM_SLOTS);
	for (unsigned int i = 0; size && i < FAKEVM_SLOTS; i++) {
		if (i != slot && at[i] == gpa.v)
			return -EEXIST;
	}
	at[slot] = size ? gpa.v : UINT64_MAX;
	return 0;
}

static int fake_raise(struct vm *vm, uint32_t port, unsigned int vcpu)
{
	of(vm)->raised[port]++;
	of(vm)->raised_on[port] = vcpu;
	shinfo_set_pending(vm, port);
	return 0;
}

static int fake_send_to_fd(struct vm *vm, uint32_t port, int fd)
{
	int ret = may_fail(vm);

	if (ret)
		return ret;
	assert(of(vm)->send_fd[port] == -1 && !of(vm)->send_port[port]);
	of(vm)->send_fd[port] = fd;
	return 0;
}

static int fake_send_to_port(struct vm *vm, uint32_t port, uint32_t peer,
			     unsigned int vcpu)
{
	int ret = may_fail(vm);

	(void)vcpu;
	if (ret)
		return ret;
	assert(of(vm)->send_fd[port] == -1 && !of(vm)->send_port[port]);
	of(vm)->send_port[port] = peer;
	return 0;
}

static int fake_send_move(struct vm *vm, uint32_t port, uint32_t peer,
			  unsigned int vcpu)
{
	(void)vcpu;
	assert(of(vm)->send_port[port] == peer);
	return may_fail(vm);
}

static void fake_send_none(struct vm *vm, uint32_t port)
{
	assert(of(vm)->send_fd[port] != -1 || of(vm)->send_port[port]);
	of(vm)->send_fd[port] = -1;
	of(vm)->send_port[port] = 0;
}

static void fake_send_none_all(struct vm *vm)
{
	for (size_t i = 0; i < ARRAY_SIZE(of(vm)->send_port); i++) {
		of(vm)->send_fd[i] = -1;
		of(vm)->send_port[i] = 0;
	}
}

static int fake_irq_attach(struct vm *vm, uint32_t port, unsigned int vcpu,
			   int fd)
{
	int ret = may_fail(vm);

	if (ret)
		return ret;
	assert(of(vm)->irq_fd[port] == -1);
	of(vm)->irq_fd[port] = fd;
	of(vm)->irq_vcpu[port] = vcpu;
	return 0;
}

static void fake_irq_detach(struct vm *vm, uint32_t port, int fd)
{
	assert(of(vm)->irq_fd[port] == fd);
	of(vm)->irq_fd[port] = -1;
}

static int fake_irq_move(struct vm *vm, uint32_t port, unsigned int vcpu)
{
	of(vm)->irq_vcpu[port] = vcpu;
	return may_fail(vm);
}

static int fake_timer(struct vcpu *v, uint32_t port)
{
	int ret = may_fail(v->vm);

	if (!ret)
		of(v->vm)->timer[v->id] = port;
	return ret;
}

static int fake_width(struct vm *vm, bool is64)
{
	(void)is64;
	return may_fail(vm);
}

static int fake_shared_info(struct vm *vm)
{
	of(vm)->moves++;
	return 0;
}

static int fake_vcpu_info(struct vcpu *v, uint64_t gpa, void SHM *host)
{
	(void)gpa;
	(void)host;
	return may_fail(v->vm);
}

static int fake_gpa(struct vcpu *v, uint64_t gpa)
{
	(void)gpa;
	return may_fail(v->vm);
}

static int fake_get_runstate(struct vcpu *v, struct vcpu_runstate_info *r)
{
	*r = (struct vcpu_runstate_info){ .state = RUNSTATE_running,
					  .state_entry_time = 5,
					  .time = { 1, 2, 3, 4 } };
	return may_fail(v->vm);
}

static int fake_flag(struct vm *vm, bool on)
{
	(void)on;
	return may_fail(vm);
}

static int fake_clock(struct vm *vm, uint64_t *ns)
{
	*ns = 12345;
	return may_fail(vm);
}

static int fake_upcall(struct vcpu *v, uint8_t vector)
{
	(void)vector;
	return may_fail(v->vm);
}

static int fake_upcall_all(struct vm *vm, uint8_t vector)
{
	of(vm)->vector = vector;
	return may_fail(vm);
}

static const struct engine engine_fake = {
	.name = "fake",
	.slot = fake_slot,
	.raise = fake_raise,
	.send_to_fd = fake_send_to_fd,
	.send_to_port = fake_send_to_port,
	.send_move = fake_send_move,
	.send_none = fake_send_none,
	.send_none_all = fake_send_none_all,
	.irq_attach = fake_irq_attach,
	.irq_detach = fake_irq_detach,
	.irq_move = fake_irq_move,
	.timer = fake_timer,
	.width = fake_width,
	.shared_info = fake_shared_info,
	.vcpu_info = fake_vcpu_info,
	.vcpu_time = fake_gpa,
	.runstate = fake_gpa,
	.get_runstate = fake_get_runstate,
	.runstate_flag = fake_flag,
	.clock = fake_clock,
	.upcall = fake_upcall,
	.upcall_all = fake_upcall_all,
};

static void must(int ret)
{
	if (ret)
		abort();
}

struct fakevm *fakevm_new(unsigned int nvcpus)
{
	struct fakevm *f = calloc(1, sizeof(*f));
	struct vm *vm;

	assert(f && nvcpus <= VM_MAX_VCPUS);
	vm = &f->vm;
	vm->cfg.domid = FAKEVM_DOMID;
	vm->engine = &engine_fake;
	vm->fd = vm->kvm = -1;
	vm->code = -1;
	vm->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&vm->lock, NULL);
	must(guestmem_new(&vm->mem, UINT64_C(16) << 20));
	for (unsigned int i = 0; i < EVTCHN_PORTS; i++)
		f->send_fd[i] = f->irq_fd[i] = -1;
	for (unsigned int i = 0; i < FAKEVM_SLOTS; i++)
		f->slot_gpa[i] = UINT64_MAX;
	vm->shared.host = aligned_alloc(SV_PAGE_SIZE, SV_PAGE_SIZE);
	memset(vm->shared.host, 0, SV_PAGE_SIZE);
	physmap_init(&vm->shinfo.page, vm->shared.host, VM_SLOT_SHINFO);
	vm->shinfo.is64 = true;
	vm->vcpus = f->vcpu;
	vm->nvcpus = nvcpus;
	for (unsigned int i = 0; i < nvcpus; i++) {
		f->vcpu[i] = (struct vcpu){ .vm = vm, .id = i, .fd = -1 };
		f->vcpu[i].hc = (struct hc){ .vm = vm, .vcpu = &f->vcpu[i] };
		f->vcpu[i].hc.gva.mem = vm->mem;
		f->vcpu[i].info = shinfo_vcpu(vm, i);
		f->vcpu[i].run = &f->run[i];
	}
	must(evtchn_init(vm));
	must(gnttab_init(vm, 4));
	hvm_init(vm);
	memory_init(vm);
	return f;
}

void fakevm_free(struct fakevm *f)
{
	struct vm *vm = &f->vm;

	evtchn_reset(vm);
	for (unsigned int i = 0; i < EVTCHN_PORTS; i++)
		assert(f->send_fd[i] == -1 && f->irq_fd[i] == -1 &&
		       !f->send_port[i]);
	evtchn_fini(vm);
	gnttab_fini(vm);
	memory_fini(vm);
	guestmem_free(vm->mem);
	free(vm->shared.host);
	fd_close(&vm->wake);
	pthread_mutex_destroy(&vm->lock);
	free(f);
}

static int64_t call(struct fakevm *f, bool is64, uint64_t nr, uint64_t a0,
		    uint64_t a1, uint64_t a2)
{
	uint64_t arg[6] = { a0, a1, a2 };
	struct hc *hc = &f->vcpu[0].hc;
	int64_t ret = hc_begin(hc, 0, is64, nr, arg);

	while (ret == HC_AGAIN)
		ret = hc_continue(hc);
	return ret;
}

int64_t fakevm_call(struct fakevm *f, uint64_t nr, uint64_t a0, uint64_t a1,
		    uint64_t a2)
{
	return call(f, true, nr, a0, a1, a2);
}

int64_t fakevm_call32(struct fakevm *f, uint64_t nr, uint64_t a0, uint64_t a1,
		      uint64_t a2)
{
	return call(f, false, nr, a0, a1, a2);
}

void *fakevm_at(struct fakevm *f, uint64_t gpa)
{
	void *at = guestmem_ptr(f->vm.mem, gpa_of(gpa), 1);

	assert(at);
	return at;
}
