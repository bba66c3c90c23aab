// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/vcpu.c - a virtual CPU: its thread, its exits.
#include "hypervisor/vcpu.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/sched.h>

#include "base/fd.h"
#include "base/log.h"
#include "hypervisor/acpi.h"
#include "hypervisor/boot.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/debug.h"
#include "hypervisor/version.h"
#include "hypervisor/vm.h"

/*
 * How it works
 *
 * A vCPU's thread does nothing but KVM_RUN and what the exits ask for.  When
 * somebody wants something of it (park, end, set an attribute) he says so under
 * vm->lock, sets immediate_exit and sends KICK: KVM_RUN then returns, or does
 * not begin, and the thread goes through its gate.  immediate_exit is cleared at
 * the gate, under the lock, before the wishes are read: none is missed.
 *
 * A guest that is down or paused has all its threads parked at the gate, and one that
 * is debugged some of them (debug.c).
 */
#define KICK SIGUSR1

/* Bytes; the deepest path is a hypercall that logs. */
#define STACK_SIZE (128u << 10)

#define LAPIC_BASE 0xfee00000u

#define PORT_DEBUG 0xe9

#define RFLAGS_IF (1u << 9)

/* Counter 2 of the PIT that PVH guests do not have; see on_io(). */
#define PORT_PIT2 0x42
#define PORT_NMI  0x61

/* Offsets in struct vcpu_info by layout (xen/xen.h). */
#define INFO_PENDING 0
#define INFO_SEL32   4
#define INFO_SEL64   8

static _Thread_local const struct vcpu *self;

static void on_kick(int sig)
{
	(void)sig;
}

void vcpu_signals(void)
{
	struct sigaction sa = { .sa_handler = on_kick };

	sigemptyset(&sa.sa_mask);
	sigaction(KICK, &sa, NULL);
}

static int set_cpuid(struct vcpu *v)
{
	int khz = ioctl(v->fd, KVM_GET_TSC_KHZ, 0);
	struct cpuid_config config = {
		.domid = v->vm->cfg.domid,
		.vcpus = v->vm->cfg.vcpus_max,
		.xen_major = VERSION_MAJOR,
		.xen_minor = VERSION_MINOR,
		.tsc_khz = khz > 0 ? (uint32_t)khz : 0,
		.upcall_vector = true,
	};

	v->vm->tsc_khz = config.tsc_khz;
	return cpuid_set(v->vm->cpuid, &config, v->id, v->fd);
}

int vcpu_init(struct vcpu *v, struct vm *vm, unsigned int id)
{
	struct kvm_xen_vcpu_attr attr = {
		.type = KVM_XEN_VCPU_ATTR_TYPE_VCPU_ID,
		.u.vcpu_id = id,
	};
	void *run;
	int ret;

	v->vm = vm;
	v->id = id;
	v->stats_fd = -1;
	v->online = id == 0;
	v->hc.vm = vm;
	v->hc.vcpu = v;
	v->hc.gva.mem = vm->mem;
	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (v->fd < 0)
		return -errno;
	run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   v->fd, 0);
	if (run == MAP_FAILED)
		return -errno;
	v->run = run;
	/* Page tables are walked after most exits: spare an ioctl for each. */
	v->run->kvm_valid_regs = KVM_SYNC_X86_SREGS;
	v->run->immediate_exit = 1;
	/* Old hosts have no statistics. */
	v->stats_fd = ioctl(v->fd, KVM_GET_STATS_FD, NULL);
	ret = set_cpuid(v);
	if (!ret)
		ret = boot_msrs(v->fd);
	if (!ret)
		ret = vcpu_set_attr(v, &attr);
	if (ret)
		return ret;
	return vcpu_info_anew(v);
}

int vcpu_info_anew(struct vcpu *v)
{
	v->info = shinfo_vcpu(v->vm, v->id);
	v->old_info = NULL;
	v->info_registered = false;
	return v->vm->engine->vcpu_info(v, UINT64_MAX, v->info);
}

void vcpu_fini(struct vcpu *v)
{
	if (v->run)
		munmap(v->run, v->vm->run_size);
	if (v->stats_fd >= 0)
		fd_close(&v->stats_fd);
	if (v->vm)
		fd_close(&v->fd);
}

bool vcpu_is_self(const struct vcpu *v)
{
	return self == v;
}

/* SYSCALLS: tgkill getpid */
void vcpu_kick(struct vcpu *v)
{
	if (!v->run)
		return;
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (v->has_thread && self != v)
		pthread_kill(v->thread, KICK);
}

static uint8_t info_byte(const uint8_t SHM *info, size_t at)
{
	return __atomic_load_n(&info[at], __ATOMIC_SEQ_CST);
}

static void merge_byte(struct vcpu *v, size_t at)
{
	__atomic_or_fetch(&v->info[at], info_byte(v->old_info, at),
			  __ATOMIC_SEQ_CST);
}

/* Events that were raised in the old vcpu_info while the new one was set. */
static void merge_old_info(struct vcpu *v)
{
	size_t n = v->vm->shinfo.is64 ? 8 : 4;
	size_t at = v->vm->shinfo.is64 ? INFO_SEL64 : INFO_SEL32;

	if (v->old_info && v->info && v->old_info != v->info) {
		for (size_t i = 0; i < n; i++)
			merge_byte(v, at + i);
		merge_byte(v, INFO_PENDING);
	}
	v->old_info = NULL;
}

static void catch_up(struct vcpu *v)
{
	merge_old_info(v);
	vcpu_upcall(v);
}

/* SYSCALLS: ioctl:KVM_XEN_VCPU_SET_ATTR */
static int apply(struct vcpu *v, const struct kvm_xen_vcpu_attr *attr)
{
	if (ioctl(v->fd, KVM_XEN_VCPU_SET_ATTR, attr) < 0)
		return -errno;
	if (attr->type == KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO ||
	    attr->type == KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA ||
	    attr->type == KVM_XEN_VCPU_ATTR_TYPE_UPCALL_VECTOR)
		catch_up(v);
	return 0;
}

int vcpu_set_attr(struct vcpu *v, const struct kvm_xen_vcpu_attr *attr)
{
	assert(attr->type < VCPU_ATTRS);
	if (!v->has_thread || vcpu_is_self(v))
		return apply(v, attr);
	v->attr[attr->type] = *attr;
	v->attr_new |= 1u << attr->type;
	vcpu_kick(v);
	return 0;
}

/* SYSCALLS, at times: ioctl:KVM_NMI */
static void apply_new(struct vcpu *v)
{
	unsigned int type;
	int ret;

	while (v->attr_new) {
		type = (unsigned int)__builtin_ctz(v->attr_new);
		v->attr_new &= v->attr_new - 1;
		ret = apply(v, &v->attr[type]);
		if (ret)
			log_limited(&v->vm->limit, LOG_LVL_WARN,
				    "vcpu %u: KVM refuses Xen attribute %u: %s",
				    v->id, type, strerror(-ret));
	}
	if (v->nmi) {
		v->nmi = false;
		(void)ioctl(v->fd, KVM_NMI);
	}
}

bool vcpu_has_event(const struct vcpu *v)
{
	return v->info && info_byte(v->info, INFO_PENDING);
}

/* SYSCALLS: ioctl:KVM_SIGNAL_MSI */
void vcpu_upcall(struct vcpu *v)
{
	struct kvm_msi msi = {
		.address_lo = LAPIC_BASE | v->id << 12,
		.data = v->upcall_vector,
	};

	if (!v->upcall_vector || !vcpu_has_event(v))
		return;
	/* A LAPIC that is still off has it again from KVM when switched on. */
	if (ioctl(v->vm->fd, KVM_SIGNAL_MSI, &msi) < 0)
		log_limited(&v->vm->limit, LOG_LVL_WARN,
			    "vcpu %u: no upcall: %s", v->id, strerror(errno));
}

int vcpu_info_move(struct vcpu *v, uint64_t gpa)
{
	uint8_t SHM *to =
		guestmem_ptr(v->vm->mem, gpa_of(gpa), SHINFO_VCPU_SIZE);
	uint8_t SHM *from = v->info;
	int ret;

	if (!to)
		return -EINVAL;
	if (from)
		memcpy(shm_bulk(to), shm_bulk(from), SHINFO_VCPU_SIZE);
	else
		memset(shm_bulk(to), 0, SHINFO_VCPU_SIZE);
	v->old_info = from;
	v->info = to;
	ret = v->vm->engine->vcpu_info(v, gpa, to);
	if (ret) {
		v->info = from;
		v->old_info = NULL;
		return ret;
	}
	v->info_registered = true;
	return 0;
}

void vcpu_info_follow(struct vcpu *v)
{
	struct physmap_page *p = &v->vm->shinfo.page;
	uint8_t SHM *old = v->info;
	uint64_t gpa = UINT64_MAX;

	if (v->info_registered)
		return;
	merge_old_info(v); /* moved twice before KVM took it once */
	v->info = shinfo_vcpu(v->vm, v->id);
	if (!v->info)
		return;
	v->old_info = old;
	if (p->gfn != PHYSMAP_NONE)
		gpa = (p->gfn << SV_PAGE_SHIFT) +
		      (uint64_t)v->id * SHINFO_VCPU_SIZE;
	if (v->vm->engine->vcpu_info(v, gpa, v->info))
		log_limited(&v->vm->limit, LOG_LVL_WARN,
			    "vcpu %u: vcpu_info cannot follow shared_info",
			    v->id);
}

/*
 * A halted vCPU with interrupts off, or one that waits for INIT and SIPI, can only be
 * woken by another.
 *
 * SYSCALLS: ioctl:KVM_GET_MP_STATE
 * SYSCALLS, at times: ioctl:KVM_GET_REGS
 */
int vcpu_look(struct vcpu *v)
{
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_regs r = { .rflags = 0 };

	if (ioctl(v->fd, KVM_GET_MP_STATE, &mp) < 0)
		return -errno;
	if (mp.mp_state == KVM_MP_STATE_HALTED &&
	    ioctl(v->fd, KVM_GET_REGS, &r) < 0)
		return -errno;
	v->online = mp.mp_state == KVM_MP_STATE_HALTED
			    ? r.rflags & RFLAGS_IF
			    : mp.mp_state != KVM_MP_STATE_UNINITIALIZED &&
				      mp.mp_state != KVM_MP_STATE_INIT_RECEIVED;
	return 0;
}

/* Answer vcpu_ask_halted() and vcpu_ask_online(). */
static void answer(struct vcpu *v)
{
	int ret;

	if (!v->ask_halted && !v->ask_online)
		return;
	ret = vcpu_look(v);
	if (v->ask_online)
		pthread_cond_signal(&v->vm->idle);
	v->ask_online = false;
	if (!v->ask_halted)
		return;
	v->ask_halted = false;
	v->halted = !ret && !v->online;
	vm_halted(v->vm);
}

void vcpu_ask_online(struct vcpu *v)
{
	v->ask_online = true;
	vcpu_kick(v);
}

void vcpu_ask_halted(struct vcpu *v)
{
	v->ask_halted = true;
	v->halted = false;
	vcpu_kick(v);
}

/* Wait while parked and grant wishes; Return: false when the thread must end. */
static bool gate(struct vcpu *v)
{
	struct vm *vm = v->vm;
	bool go_on;

	pthread_mutex_lock(&vm->lock);
	for (;;) {
		__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		if (vm->quit || !(vm->paused || vm->shutdown || v->held))
			break;
		vm->parked++;
		pthread_cond_signal(&vm->idle);
		pthread_cond_wait(&vm->changed, &vm->lock);
		vm->parked--;
	}
	apply_new(v);
	answer(v);
	go_on = !vm->quit;
	pthread_mutex_unlock(&vm->lock);
	return go_on;
}

static void finish_hypercall(struct vcpu *v, int64_t ret)
{
	if (ret != HC_AGAIN)
		v->run->xen.u.hcall.result = (uint64_t)ret;
}

static void on_hypercall(struct vcpu *v)
{
	const struct kvm_sregs *s = &v->run->s.regs.sregs;
	struct kvm_xen_exit *x = &v->run->xen;
	uint64_t arg[6];

	atomic_fetch_add(&v->count.hypercalls, 1);
	if (x->type != KVM_EXIT_XEN_HCALL)
		return;
	memcpy(arg, x->u.hcall.params, sizeof(arg));
	v->hc.gva.cr0 = s->cr0;
	v->hc.gva.cr3 = s->cr3;
	v->hc.gva.cr4 = s->cr4;
	v->hc.gva.efer = s->efer;
	finish_hypercall(v,
			 hc_begin(&v->hc, x->u.hcall.cpl, x->u.hcall.longmode,
				  x->u.hcall.input, arg));
}

/*
 * What ports read as: ones, for nothing is there, but for two.  Linux reads the PIT's
 * counter 100,000 times to calibrate the TSC (quick_pit_calibrate()) while it is all
 * ones, and gives up at once when it is not.  An NMI's handler finds no error of bus or
 * memory in the upper two bits of 0x61 (pit_calibrate_tsc() waits for a lower one).
 */
static uint8_t port_value(uint16_t port)
{
	switch (port) {
	case PORT_PIT2:
		return 0;
	case PORT_NMI:
		return 0x3f;
	default:
		return 0xff;
	}
}

/* Output on 0xE9 is the guest's early console. */
static void on_io(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	size_t len = (size_t)run->io.size * run->io.count;

	atomic_fetch_add(&v->count.io, 1);
	if (v->vm->debug && debug_break_hit(v))
		return;
	if (run->io.data_offset > v->vm->run_size ||
	    len > v->vm->run_size - run->io.data_offset)
		return;
	if (run->io.direction == KVM_EXIT_IO_IN) {
		memset(data, port_value(run->io.port), len);
		return;
	}
	pthread_mutex_lock(&v->vm->lock);
	if (run->io.port == PORT_DEBUG)
		conlog_put(&v->vm->conlog, data, len);
	else if (len == 1 && acpi_power_off(run->io.port, data[0]))
		vm_shut(v->vm, SHUTDOWN_poweroff);
	pthread_mutex_unlock(&v->vm->lock);
}

static void on_mmio(struct vcpu *v)
{
	atomic_fetch_add(&v->count.mmio, 1);
	if (!v->run->mmio.is_write)
		memset(v->run->mmio.data, 0xff, sizeof(v->run->mmio.data));
}

/* SYSCALLS, at times: ioctl:KVM_GET_REGS */
static void on_internal_error(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	struct kvm_regs regs = { .rip = 0 };

	(void)ioctl(v->fd, KVM_GET_REGS, &regs);
	vm_crash(v->vm, "vcpu %u: KVM internal error %u at rip %#llx", v->id,
		 run->internal.suberror, (unsigned long long)regs.rip);
}

static void handle_exit(struct vcpu *v)
{
	atomic_fetch_add(&v->count.exits, 1);
	switch (v->run->exit_reason) {
	case KVM_EXIT_XEN:
		on_hypercall(v);
		break;
	case KVM_EXIT_IO:
		on_io(v);
		break;
	case KVM_EXIT_MMIO:
		on_mmio(v);
		break;
	case KVM_EXIT_DEBUG:
		debug_exit(v);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_IOAPIC_EOI:
		break;
	case KVM_EXIT_SHUTDOWN:
		vm_crash(v->vm, "vcpu %u: triple fault", v->id);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		on_internal_error(v);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		vm_crash(v->vm,
			 "vcpu %u: the CPU refuses the guest's state "
			 "(hardware reason %#llx)",
			 v->id,
			 (unsigned long long)v->run->fail_entry
				 .hardware_entry_failure_reason);
		break;
	default:
		vm_crash(v->vm, "vcpu %u: unexpected exit %u of KVM", v->id,
			 v->run->exit_reason);
	}
}

/* SYSCALLS: ioctl:KVM_RUN prctl gettid exit rt_sigreturn */
static void *run_vcpu(void *arg)
{
	struct vcpu *v = arg;
	char name[16];

	self = v;
	snprintf(name, sizeof(name), "vcpu %u", v->id);
	pthread_setname_np(pthread_self(), name);
	__atomic_store_n(&v->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELAXED);
	for (;;) {
		if (__atomic_load_n(&v->run->immediate_exit,
				    __ATOMIC_SEQ_CST) &&
		    !gate(v))
			return NULL;
		if (v->hc.active) {
			finish_hypercall(v, hc_continue(&v->hc));
			continue;
		}
		if (ioctl(v->fd, KVM_RUN, NULL) == 0)
			handle_exit(v);
		else if (errno != EINTR && errno != EAGAIN)
			vm_crash(v->vm, "vcpu %u: KVM_RUN: %s", v->id,
				 strerror(errno));
	}
}

/* A call that gives up the lock after each batch comes to its end within these. */
#define MAX_BATCHES 65536

int vcpu_settle(struct vcpu *v)
{
	pthread_mutex_lock(&v->vm->lock);
	apply_new(v);
	pthread_mutex_unlock(&v->vm->lock);
	for (int i = 0; v->hc.active; i++) {
		if (i == MAX_BATCHES)
			return -EBUSY;
		finish_hypercall(v, hc_continue(&v->hc));
	}
	/* KVM completes the last exit, and does not enter the guest. */
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (ioctl(v->fd, KVM_RUN, NULL) == 0)
		return -EBUSY;
	return errno == EINTR || errno == EAGAIN ? 0 : -errno;
}

/*
 * SYSCALLS: clone/clone3 rt_sigaction rt_sigprocmask mmap mprotect munmap futex
 * SYSCALLS: sched_yield
 * SYSCALLS, at times: set_robust_list rseq madvise
 */
int vcpu_start(struct vcpu *v)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	/* All signals but the kick are the main thread's. */
	sigfillset(&all);
	sigdelset(&all, KICK);
	/* Of a call that the sandbox forbids, by whoever makes it. */
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_mutex_lock(&v->vm->lock);
	ret = pthread_create(&v->thread, &attr, run_vcpu, v);
	v->has_thread = ret == 0;
	pthread_mutex_unlock(&v->vm->lock);
	/* The toolstack finds it by its name, once we are ready. */
	while (!ret && !__atomic_load_n(&v->tid, __ATOMIC_RELAXED))
		sched_yield();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -ret;
}

/* SYSCALLS: clock_gettime */
uint64_t vcpu_cpu_ns(const struct vcpu *v)
{
	struct timespec ts;
	clockid_t clock;

	if (!v->has_thread || pthread_getcpuclockid(v->thread, &clock) ||
	    clock_gettime(clock, &ts))
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}
