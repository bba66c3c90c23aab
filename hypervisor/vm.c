// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/vm.c - one domain: its KVM VM, memory slots and life.
#include "hypervisor/vm.h"

#include <errno.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/sched.h>

#include "base/fd.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/debug.h"
#include "hypervisor/engine_xen.h"
#include "hypervisor/kvm_abi.h"
#include "hypervisor/layout.h"
#include "hypervisor/vcpu.h"

/* Pages that KVM wants on old Intel CPUs; nothing else is near. */
#define IDENTITY_MAP UINT64_C(0xfffbc000)
#define TSS_ADDR     UINT64_C(0xfffbd000)

/* How long vm_wait_parked() waits for vCPUs to come out. */
#define PARK_LIMIT_S 5

/* How often to look whether the guest has stopped for good. */
#define IDLE_PERIOD_NS UINT64_C(1000000000)

static const struct {
	int cap;
	const char *name;
} needed_caps[] = {
	{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
	{ KVM_CAP_SPLIT_IRQCHIP, "KVM_CAP_SPLIT_IRQCHIP" },
	{ KVM_CAP_IRQFD, "KVM_CAP_IRQFD" },
	{ KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI" },
	{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
	{ KVM_CAP_SYNC_REGS, "KVM_CAP_SYNC_REGS" },
};

static int open_kvm(struct vm *vm, struct why *why)
{
	int err;

	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm >= 0)
		return 0;
	err = -errno;
	if (err == -EACCES || err == -EPERM)
		return why_set(why, err,
			       "/dev/kvm: permission denied; run as root or "
			       "join the group kvm");
	return why_set(why, err,
		       "/dev/kvm: %s; switch virtualisation on in the firmware "
		       "and load kvm_intel or kvm_amd",
		       strerror(-err));
}

static int check_xen(struct vm *vm, struct why *why)
{
	unsigned int missing;
	struct utsname un = { .release = "?" };
	int caps = ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM);

	uname(&un);
	if (caps <= 0)
		return why_set(why, -EOPNOTSUPP,
			       "/dev/kvm: KVM of Linux %s has no Xen support "
			       "(KVM_CAP_XEN_HVM is 0); boot a kernel with "
			       "CONFIG_KVM_XEN=y, such as Debian's 6.12 or "
			       "later (bookworm-backports has it)",
			       un.release);
	vm->xen_caps = (unsigned int)caps;
	missing = engine_xen_needs & ~vm->xen_caps;
	if (missing)
		return why_set(
			why, -EOPNOTSUPP,
			"/dev/kvm: Xen support of Linux %s is too old "
			"(KVM_CAP_XEN_HVM is %#x, lacks %#x); boot Linux "
			"5.19 or later with CONFIG_KVM_XEN=y",
			un.release, vm->xen_caps, missing);
	return 0;
}

static int check_host(struct vm *vm, struct why *why)
{
	int max;

	for (size_t i = 0; i < ARRAY_SIZE(needed_caps); i++) {
		if (ioctl(vm->kvm, KVM_CHECK_EXTENSION, needed_caps[i].cap) > 0)
			continue;
		return why_set(why, -EOPNOTSUPP,
			       "/dev/kvm: this kernel's KVM lacks %s; boot "
			       "Linux 5.19 or later",
			       needed_caps[i].name);
	}
	max = ioctl(vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	max = MIN(max, VM_MAX_VCPUS);
	if (vm->cfg.vcpus_max > (unsigned int)max)
		return why_set(why, -ERANGE,
			       "vcpus: %u are too many; give 1 to %d",
			       vm->cfg.vcpus_max, max);
	max = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (max < (int)sizeof(struct kvm_run))
		return why_set(
			why, -EPROTO,
			"/dev/kvm: KVM_GET_VCPU_MMAP_SIZE gives %d, want "
			"%zu; this kernel is too old",
			max, sizeof(struct kvm_run));
	vm->run_size = (size_t)max;
	return 0;
}

static int make_ram(struct vm *vm, struct why *why)
{
	uint64_t bytes = vm->cfg.mem_kib << 10;
	char size[32], limit[32];
	struct sysinfo si;
	uint64_t host;
	int ret;

	if (sysinfo(&si) == 0) {
		host = ((uint64_t)si.totalram + si.totalswap) * si.mem_unit;
		if (bytes > host)
			return why_set(why, -ERANGE,
				       "memory: %s are more than this host's "
				       "%s; give less",
				       why_size(size, bytes),
				       why_size(limit, host));
	}
	ret = guestmem_new(&vm->mem, bytes);
	if (ret == -EINVAL)
		return why_set(why, ret,
			       "memory: %llu KiB are out of range; give %llu "
			       "to %llu KiB, a multiple of 4",
			       (unsigned long long)vm->cfg.mem_kib,
			       (unsigned long long)(LAYOUT_MEM_MIN >> 10),
			       (unsigned long long)(LAYOUT_MEM_MAX >> 10));
	if (ret)
		return why_set(why, ret, "memory: %s: %s",
			       why_size(size, bytes), strerror(-ret));
	return 0;
}

int vm_page_make(struct vm_page *p, const char *name)
{
	void *at;

	p->fd = fd_memfd(name, SV_PAGE_SIZE);
	if (p->fd < 0)
		return p->fd;
	at = mmap(NULL, SV_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd,
		  0);
	if (at == MAP_FAILED)
		return -errno;
	p->host = at;
	return 0;
}

void vm_page_free(struct vm_page *p)
{
	if (p->host)
		munmap(shm_bulk(p->host), SV_PAGE_SIZE);
	p->host = NULL;
	fd_close(&p->fd);
}

void vm_out_of_poll(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->nvcpus; i++)
		vcpu_kick(&vm->vcpus[i]);
}

/* SYSCALLS: ioctl:KVM_SET_USER_MEMORY_REGION */
int vm_slot(struct vm *vm, unsigned int slot, gpa_t gpa, void SHM *host,
	    uint64_t size)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot,
		.guest_phys_addr = gpa.v,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};

	vm_out_of_poll(vm);
	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r) < 0 ? -errno : 0;
}

static int make_slots(struct vm *vm)
{
	int ret;

	for (unsigned int i = 0; i < vm->mem->n; i++) {
		struct guestmem_region *r = &vm->mem->region[i];

		ret = vm_slot(vm, VM_SLOT_RAM + i, r->gpa, r->host, r->size);
		if (ret)
			return ret;
	}
	ret = vm_page_make(&vm->store, "sv-store");
	if (!ret)
		ret = vm_page_make(&vm->console, "sv-console");
	if (!ret)
		ret = vm_page_make(&vm->shared, "sv-shared-info");
	if (!ret)
		ret = vm_slot(vm, VM_SLOT_STORE, gpa_of(LAYOUT_STORE),
			      vm->store.host, SV_PAGE_SIZE);
	if (!ret)
		ret = vm_slot(vm, VM_SLOT_CONSOLE, gpa_of(LAYOUT_CONSOLE),
			      vm->console.host, SV_PAGE_SIZE);
	if (ret)
		return ret;
	physmap_init(&vm->shinfo.page, vm->shared.host, VM_SLOT_SHINFO);
	return 0;
}

static int make_vm(struct vm *vm)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP };
	struct kvm_enable_cap x2apic = {
		.cap = KVM_CAP_X2APIC_API,
		.args = { KVM_X2APIC_API_USE_32BIT_IDS |
			  KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK },
	};
	uint64_t identity = IDENTITY_MAP;

	do {
		vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	} while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0)
		return -errno;
	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0 ||
	    ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_ADDR) < 0)
		return -errno;
	/* No IOAPIC, no PIC, no PIT: the LAPICs are all there is. */
	if (ioctl(vm->fd, KVM_ENABLE_CAP, &split) < 0)
		return -errno;
	/* Old kernels may lack it; ids up to 254 do without. */
	(void)ioctl(vm->fd, KVM_ENABLE_CAP, &x2apic);
	return 0;
}

static int make_vcpus(struct vm *vm)
{
	int ret;

	ret = cpuid_new(&vm->cpuid, vm->kvm);
	if (ret)
		return ret;
	vm->vcpus = calloc(vm->cfg.vcpus_max, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return -ENOMEM;
	for (unsigned int i = 0; i < vm->cfg.vcpus_max && !ret; i++) {
		ret = vcpu_init(&vm->vcpus[i], vm, i);
		vm->nvcpus = i + 1;
	}
	return ret;
}

static int make_parts(struct vm *vm, struct why *why)
{
	static const struct {
		const char *what;
		int (*make)(struct vm *vm);
	} parts[] = {
		{ "KVM_CREATE_VM", make_vm },
		{ "memory slots", make_slots },
		{ "KVM_XEN_HVM_CONFIG", engine_xen_init },
		{ "event channels", evtchn_init },
		{ "vcpus", make_vcpus },
	};
	int ret;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		ret = parts[i].make(vm);
		if (ret)
			return why_set(why, ret, "%s: %s; see dmesg",
				       parts[i].what, strerror(-ret));
	}
	ret = gnttab_init(vm, vm->cfg.max_grant_frames);
	if (ret)
		return why_set(why, ret, "grant table of %u frames: %s",
			       vm->cfg.max_grant_frames, strerror(-ret));
	hvm_init(vm);
	memory_init(vm);
	return 0;
}

static int vm_init(struct vm *vm)
{
	pthread_condattr_t attr;
	struct timespec now;

	vm->kvm = vm->fd = -1;
	vm->store.fd = vm->console.fd = vm->shared.fd = -1;
	vm->gnttab.fd = -1;
	vm->engine = &engine_xen;
	vm->paused = true;
	vm->code = -1;
	pthread_mutex_init(&vm->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&vm->changed, &attr);
	pthread_cond_init(&vm->idle, &attr);
	pthread_condattr_destroy(&attr);
	clock_gettime(CLOCK_REALTIME, &now);
	vm->start_ns =
		(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	vm->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return vm->wake < 0 ? -errno : 0;
}

int vm_new(struct vm **out, const struct vm_config *cfg, struct why *why)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int ret;

	if (!vm)
		return why_set(why, -ENOMEM, "out of memory");
	vm->cfg = *cfg;
	ret = vm_init(vm);
	if (ret)
		ret = why_set(why, ret, "eventfd: %s", strerror(-ret));
	if (!ret)
		ret = open_kvm(vm, why);
	if (!ret)
		ret = check_xen(vm, why);
	if (!ret)
		ret = check_host(vm, why);
	if (!ret)
		ret = make_ram(vm, why);
	if (!ret)
		ret = make_parts(vm, why);
	if (ret) {
		vm_free(vm);
		return ret;
	}
	*out = vm;
	return 0;
}

static void end_vcpus(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	vm->quit = true;
	for (unsigned int i = 0; i < vm->nvcpus; i++)
		vcpu_kick(&vm->vcpus[i]);
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		if (vm->vcpus[i].has_thread)
			pthread_join(vm->vcpus[i].thread, NULL);
		vm->vcpus[i].has_thread = false;
	}
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	end_vcpus(vm);
	evtchn_fini(vm);
	for (unsigned int i = 0; i < vm->nvcpus; i++)
		vcpu_fini(&vm->vcpus[i]);
	free(vm->vcpus);
	free(vm->debug);
	cpuid_free(vm->cpuid);
	engine_xen_fini(vm);
	fd_close(&vm->fd);
	fd_close(&vm->kvm);
	gnttab_fini(vm);
	memory_fini(vm);
	vm_page_free(&vm->shared);
	vm_page_free(&vm->console);
	vm_page_free(&vm->store);
	guestmem_free(vm->mem);
	fd_close(&vm->wake);
	pthread_cond_destroy(&vm->idle);
	pthread_cond_destroy(&vm->changed);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
}

/* SYSCALLS: write */
void vm_wake(struct vm *vm)
{
	/* Full means that the main loop will wake anyway. */
	if (eventfd_write(vm->wake, 1) < 0)
		return;
}

void vm_shut(struct vm *vm, uint32_t reason)
{
	if (vm->shutdown)
		return;
	vm->shutdown = true;
	vm->shut_at = util_clock_ns();
	vm->reason = vm->code >= 0 ? (uint32_t)vm->code : reason;
	conlog_flush(&vm->conlog);
	log_info("the guest is down: %s (%u)", dom_reason_name(vm->reason),
		 vm->reason);
	for (unsigned int i = 0; i < vm->nvcpus; i++)
		vcpu_kick(&vm->vcpus[i]);
	vm_wake(vm);
}

void vm_crash(struct vm *vm, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&vm->lock);
	if (!vm->shutdown)
		log_err("%s", why);
	vm_shut(vm, SHUTDOWN_crash);
	pthread_mutex_unlock(&vm->lock);
}

int vm_wait_parked(struct vm *vm)
{
	struct timespec limit;

	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += PARK_LIMIT_S;
	while (vm->parked < vm->nvcpus) {
		if (pthread_cond_timedwait(&vm->idle, &vm->lock, &limit))
			break;
	}
	if (vm->parked >= vm->nvcpus)
		return 0;
	log_warn("%u of %u vcpus still run after %u s", vm->nvcpus - vm->parked,
		 vm->nvcpus, PARK_LIMIT_S);
	return -ETIMEDOUT;
}

void vm_pause(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	vm->paused = true;
	for (unsigned int i = 0; i < vm->nvcpus; i++)
		vcpu_kick(&vm->vcpus[i]);
	/* It has been told; one that does not stop now will later. */
	(void)!vm_wait_parked(vm);
	pthread_mutex_unlock(&vm->lock);
}

void vm_unpause(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	vm->paused = false;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
	vm_wake(vm);
}

bool vm_hold(struct vm *vm)
{
	bool was_paused = vm->paused;

	vm_pause(vm);
	pthread_mutex_lock(&vm->lock);
	return was_paused;
}

void vm_release(struct vm *vm, bool was_paused)
{
	pthread_mutex_unlock(&vm->lock);
	if (!was_paused)
		vm_unpause(vm);
}

/* Raise VIRQ_TIMER for each period that has passed, once at most. */
static uint64_t periodic(struct vcpu *v, uint64_t now)
{
	if (!v->period_ns)
		return UINT64_MAX;
	if (now >= v->period_next) {
		evtchn_virq(v->vm, VIRQ_TIMER, v->id);
		v->period_next = now + v->period_ns -
				 (now - v->period_next) % v->period_ns;
	}
	return v->period_next;
}

void vm_halted(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		if (!vm->vcpus[i].halted)
			return;
	}
	log_info("all vcpus have halted with interrupts off");
	vm_shut(vm, SHUTDOWN_poweroff);
}

/*
 * A vCPU that halts does not come out of KVM, so the stopped guest has to be
 * looked for: when no vCPU has run for a while, ask them.
 */
static uint64_t look_idle(struct vm *vm, uint64_t now)
{
	uint64_t cpu_ns = 0;

	if (now < vm->idle_next)
		return vm->idle_next;
	vm->idle_next = now + IDLE_PERIOD_NS;
	for (unsigned int i = 0; i < vm->nvcpus; i++)
		cpu_ns += vcpu_cpu_ns(&vm->vcpus[i]);
	if (cpu_ns == vm->idle_cpu_ns) {
		for (unsigned int i = 0; i < vm->nvcpus; i++)
			vcpu_ask_halted(&vm->vcpus[i]);
	}
	vm->idle_cpu_ns = cpu_ns;
	return vm->idle_next;
}

uint64_t vm_timers(struct vm *vm, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	pthread_mutex_lock(&vm->lock);
	if (vm->paused || vm->shutdown || debug_holds(vm))
		goto unlock;
	for (unsigned int i = 0; i < vm->nvcpus; i++)
		next = MIN(next, periodic(&vm->vcpus[i], now));
	for (unsigned int i = 0; i < VM_WATCHDOGS; i++) {
		if (!vm->watchdog[i])
			continue;
		if (now < vm->watchdog[i]) {
			next = MIN(next, vm->watchdog[i]);
			continue;
		}
		log_warn("watchdog %u has not been fed in time", i + 1);
		vm_shut(vm, SHUTDOWN_watchdog);
	}
	next = MIN(next, look_idle(vm, now));
unlock:
	pthread_mutex_unlock(&vm->lock);
	return next;
}
