// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/debug.c - what a debugger wants of a domain: stop, step, look, change.
#include "hypervisor/debug.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "hypervisor/gva.h"
#include "hypervisor/kvm_abi.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vcpu_state.h"
#include "hypervisor/vm.h"

/*
 * How it works
 *
 * A vCPU that shall not run is held at its gate, whatever else becomes of the domain.
 * Single steps and debug registers are KVM's (KVM_SET_GUEST_DEBUG).
 *
 * A breakpoint is the one byte of "out %al, (%dx)".  In ring 0 that comes out to us,
 * with every KVM, and tells that it is ours by where it is: RIP goes back to it, and
 * all stop.  A kernel has other uses for INT3 (jump labels, kprobes), which therefore
 * stay its own: none has to be told from ours and injected again.  What lay there we
 * keep, and put back when the debugger leaves, however it does.
 *
 * INVARIANT: struct debug changes only while all vCPUs wait at their gates, but for
 * @stopped and @why; so their threads read it without the lock.
 */
#define BREAK	    0xee /* out %al, (%dx) */
#define PORT_OUT_7E 0x7e /* KVM_X86_QUIRK_OUT_7E_INC_RIP: RIP is behind it */

#define CR0_WP	 (UINT64_C(1) << 16)
#define EFER_LMA (UINT64_C(1) << 10)

#define DR7_FIXED 0x400u

struct breakpoint {
	uint64_t addr;
	gpa_t at;
	uint8_t was;
};

struct debug {
	struct dom_debug asked;
	uint64_t since; /* CLOCK_MONOTONIC ns: when it was stopped */
	bool stopped;	/* lock: vm->lock; it is to be told */
	struct dom_stopped why;
	unsigned int n;
	struct breakpoint brk[DEBUG_BREAKS];
};

/* ---- Run and stop ---------------------------------------------------------- */

bool debug_holds(const struct vm *vm)
{
	for (unsigned int i = 0; vm->debug && i < vm->nvcpus; i++) {
		if (vm->vcpus[i].held)
			return true;
	}
	return false;
}

static struct kvm_guest_debug registers(const struct dom_debug *d)
{
	static const uint32_t len[] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };
	struct kvm_guest_debug g = { .arch.debugreg[7] = DR7_FIXED };

	for (unsigned int i = 0; i < d->nwatches; i++) {
		g.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
		g.arch.debugreg[i] = d->watch[i].addr;
		g.arch.debugreg[7] |=
			UINT64_C(2) << 2 * i |
			(uint64_t)(d->watch[i].type | len[d->watch[i].len] << 2)
				<< (16 + 4 * i);
	}
	return g;
}

/*
 * An interrupt's handler is not what was to be stepped through.
 *
 * SYSCALLS, at times: ioctl:KVM_SET_GUEST_DEBUG
 */
static int arm(const struct vcpu *v, const struct dom_debug *d, uint32_t more)
{
	struct kvm_guest_debug g = registers(d);

	g.control |= more;
	if (d->step >> v->id & 1)
		g.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP |
			     KVM_GUESTDBG_BLOCKIRQ;
	return ioctl(v->fd, KVM_SET_GUEST_DEBUG, &g) < 0 ? -errno : 0;
}

/* Nobody could feed a watchdog meanwhile. */
static void feed_watchdogs(struct vm *vm, uint64_t ns)
{
	for (unsigned int i = 0; i < VM_WATCHDOGS; i++) {
		if (vm->watchdog[i])
			vm->watchdog[i] += ns;
	}
}

/* lock: vm->lock */
static void hold(struct vm *vm, uint64_t run)
{
	bool held = debug_holds(vm), holds = false;
	uint64_t now = util_clock_ns();

	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		vm->vcpus[i].held = !(run >> i & 1);
		holds = holds || vm->vcpus[i].held;
	}
	if (held && !holds)
		feed_watchdogs(vm, now - vm->debug->since);
	if (!held)
		vm->debug->since = now;
}

static bool is_sane(const struct dom_debug *d)
{
	if (d->nwatches > DOM_WATCHES)
		return false;
	for (unsigned int i = 0; i < d->nwatches; i++) {
		uint32_t type = d->watch[i].type, len = d->watch[i].len;

		if ((len != 1 && len != 2 && len != 4 && len != 8) ||
		    d->watch[i].addr % len ||
		    (type != DOM_WATCH_RUN && type != DOM_WATCH_WRITE &&
		     type != DOM_WATCH_USE) ||
		    (type == DOM_WATCH_RUN && len != 1))
			return false;
	}
	return true;
}

/* lock: vm->lock, and no vCPU runs. */
static int set(struct vm *vm, const struct dom_debug *d)
{
	int ret = 0;

	if (!vm->debug)
		vm->debug = calloc(1, sizeof(*vm->debug));
	if (!vm->debug)
		return -ENOMEM;
	vm->debug->asked = *d;
	vm->debug->asked.step &= d->run;
	vm->debug->stopped = false;
	for (unsigned int i = 0; i < vm->nvcpus && !ret; i++)
		ret = arm(&vm->vcpus[i], &vm->debug->asked, 0);
	hold(vm, ret ? 0 : d->run);
	return ret;
}

int debug_run(struct vm *vm, const struct dom_debug *d)
{
	bool was_paused;
	int ret;

	if (!is_sane(d))
		return -EINVAL;
	was_paused = vm_hold(vm);
	ret = vm->parked < vm->nvcpus ? -EBUSY : set(vm, d);
	vm_release(vm, was_paused);
	return ret;
}

int debug_still(struct vm *vm)
{
	bool held = true;
	int ret;

	pthread_mutex_lock(&vm->lock);
	for (unsigned int i = 0; i < vm->nvcpus; i++)
		held = held && vm->vcpus[i].held;
	ret = vm->parked == vm->nvcpus && (held || vm->paused || vm->shutdown)
		      ? 0
		      : -EBUSY;
	pthread_mutex_unlock(&vm->lock);
	return ret;
}

/* By a vCPU's thread: it has stopped, so the others shall. */
static void stop(struct vcpu *v, enum dom_stop why, uint32_t watch)
{
	struct vm *vm = v->vm;
	struct debug *d = vm->debug;

	pthread_mutex_lock(&vm->lock);
	hold(vm, 0);
	for (unsigned int i = 0; i < vm->nvcpus; i++)
		vcpu_kick(&vm->vcpus[i]);
	if (!d->stopped)
		d->why = (struct dom_stopped){ v->id, why, watch, 0 };
	d->stopped = true;
	pthread_mutex_unlock(&vm->lock);
	vm_wake(vm);
}

bool debug_stopped(struct vm *vm, struct dom_stopped *out)
{
	struct debug *d = vm->debug;
	bool stopped;

	pthread_mutex_lock(&vm->lock);
	stopped = d && d->stopped && !vm_wait_parked(vm);
	if (stopped) {
		d->stopped = false;
		*out = d->why;
		/* Who has not come to the end of its step has none to make. */
		d->asked.step = 0;
		for (unsigned int i = 0; i < vm->nvcpus; i++)
			(void)!arm(&vm->vcpus[i], &d->asked, 0);
	} else if (d && d->stopped) {
		vm_wake(vm); /* to be asked again */
	}
	pthread_mutex_unlock(&vm->lock);
	return stopped;
}

void debug_exit(struct vcpu *v)
{
	const uint64_t dr6 = v->run->debug.arch.dr6;
	const struct debug *d = v->vm->debug;

	for (unsigned int i = 0; d && i < d->asked.nwatches; i++) {
		if (dr6 >> i & 1) {
			stop(v, DOM_STOP_WATCH, i);
			return;
		}
	}
	if (d && d->asked.step >> v->id & 1)
		stop(v, DOM_STOP_STEP, 0);
	else if (d && arm(v, &d->asked, KVM_GUESTDBG_INJECT_DB)) /* its own */
		log_limited(&v->vm->limit, LOG_LVL_WARN,
			    "vcpu %u: a debug exception of its own is lost",
			    v->id);
}

/* ---- Addresses ------------------------------------------------------------- */

static struct gva walker(const struct vcpu *v, const struct kvm_sregs *s)
{
	/* A debugger writes where the guest may not. */
	return (struct gva){
		.mem = v->vm->mem,
		.cr0 = s->cr0 & ~CR0_WP,
		.cr3 = s->cr3,
		.cr4 = s->cr4,
		.efer = s->efer,
		.longmode = s->efer & EFER_LMA,
	};
}

/* SYSCALLS, at times: ioctl:KVM_GET_SREGS */
static int find_walker(const struct vm *vm, uint32_t id, struct gva *g)
{
	struct kvm_sregs s;

	if (id >= vm->nvcpus)
		return -ENOENT;
	if (ioctl(vm->vcpus[id].fd, KVM_GET_SREGS, &s) < 0)
		return -errno;
	*g = walker(&vm->vcpus[id], &s);
	return 0;
}

/* ---- Breakpoints ----------------------------------------------------------- */

static struct breakpoint *find_at(struct debug *d, gpa_t at)
{
	for (unsigned int i = 0; i < d->n; i++) {
		if (d->brk[i].at.v == at.v)
			return &d->brk[i];
	}
	return NULL;
}

static struct breakpoint *find_addr(struct debug *d, uint64_t addr)
{
	for (unsigned int i = 0; i < d->n; i++) {
		if (d->brk[i].addr == addr)
			return &d->brk[i];
	}
	return NULL;
}

/* What is not ours any more, as after a reset of the guest, stays. */
static void take_out(struct vm *vm, struct breakpoint *b)
{
	struct debug *d = vm->debug;
	const struct breakpoint was = *b;
	uint8_t byte;

	*b = d->brk[--d->n];
	if (!find_at(d, was.at) && !guestmem_read(vm->mem, was.at, &byte, 1) &&
	    byte == BREAK)
		(void)!guestmem_write(vm->mem, was.at, &was.was, 1);
}

static int put_in(struct vm *vm, const struct dom_break *b)
{
	const uint8_t byte = BREAK;
	struct breakpoint new = { .addr = b->addr }, *other;
	struct debug *d = vm->debug;
	struct gva g;
	int ret;

	if (d->n == DEBUG_BREAKS)
		return -ENOSPC;
	ret = find_walker(vm, b->id, &g);
	if (ret)
		return ret;
	/* Ring 3 may make no output: a breakpoint there would be a fault. */
	if (gva_is_user(&g, b->addr) ||
	    gva_to_gpa(&g, b->addr, false, &new.at) ||
	    guestmem_read(vm->mem, new.at, &new.was, 1))
		return -EFAULT;
	other = find_at(d, new.at);
	if (other)
		new.was = other->was;
	d->brk[d->n++] = new;
	return guestmem_write(vm->mem, new.at, &byte, 1);
}

int debug_break(struct vm *vm, const struct dom_break *b)
{
	struct breakpoint *old = find_addr(vm->debug, b->addr);

	if (b->on)
		return old ? 0 : put_in(vm, b);
	if (old)
		take_out(vm, old);
	return 0;
}

void debug_end(struct vm *vm)
{
	static const struct dom_debug none = { .run = UINT64_MAX };
	bool was_paused = vm_hold(vm);

	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		const struct vcpu *v = &vm->vcpus[i];

		/* KVM would have us wait for a vCPU that runs. */
		if (vm->parked == vm->nvcpus && arm(v, &none, 0))
			log_warn("vcpu %u: KVM goes on debugging it", i);
	}
	hold(vm, UINT64_MAX);
	while (vm->debug->n)
		take_out(vm, &vm->debug->brk[0]);
	vm->debug->asked = none;
	vm->debug->stopped = false;
	if (vm->parked == vm->nvcpus) {
		free(vm->debug);
		vm->debug = NULL;
	}
	vm_release(vm, was_paused);
}

/* SYSCALLS, at times: ioctl:KVM_GET_REGS ioctl:KVM_SET_REGS */
bool debug_break_hit(struct vcpu *v)
{
	const struct kvm_sregs *s = &v->run->s.regs.sregs;
	const struct gva g = walker(v, s);
	struct kvm_run *run = v->run;
	struct kvm_regs r;
	gpa_t at;

	if (run->io.direction != KVM_EXIT_IO_OUT || run->io.size != 1 ||
	    run->io.count != 1 || ioctl(v->fd, KVM_GET_REGS, &r) < 0)
		return false;
	r.rip -= run->io.port == PORT_OUT_7E;
	if (gva_to_gpa(&g, r.rip + (s->cs.l ? 0 : s->cs.base), false, &at) ||
	    !find_at(v->vm->debug, at))
		return false;
	/* KVM completes the output, and does not enter the guest. */
	__atomic_store_n(&run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	(void)ioctl(v->fd, KVM_RUN, NULL);
	if (ioctl(v->fd, KVM_SET_REGS, &r) < 0)
		vm_crash(v->vm, "vcpu %u: not at its breakpoint: %s", v->id,
			 strerror(errno));
	stop(v, DOM_STOP_BREAK, 0);
	return true;
}

/* ---- Registers and memory -------------------------------------------------- */

#define REG(r) offsetof(struct kvm_regs, r)

/* In the order of their numbers. */
static const size_t gpr[] = { REG(rax), REG(rcx), REG(rdx), REG(rbx),
			      REG(rsp), REG(rbp), REG(rsi), REG(rdi),
			      REG(r8),	REG(r9),  REG(r10), REG(r11),
			      REG(r12), REG(r13), REG(r14), REG(r15) };

_Static_assert(sizeof(gpr) / sizeof(gpr[0]) ==
		       sizeof(((struct dom_regs *)0)->gpr) / sizeof(uint64_t),
	       "all of them");

/* What it has begun is in its registers, then. */
static int settle(struct vm *vm, uint32_t id, struct kvm_regs *r)
{
	int ret;

	if (id >= vm->nvcpus)
		return -ENOENT;
	ret = vcpu_settle(&vm->vcpus[id]);
	if (ret)
		return ret;
	return ioctl(vm->vcpus[id].fd, KVM_GET_REGS, r) < 0 ? -errno : 0;
}

int debug_regs(struct vm *vm, struct dom_regs *out)
{
	struct vcpu *v;
	struct kvm_sregs s;
	struct kvm_regs r;
	int ret = settle(vm, out->id, &r);

	if (ret)
		return ret;
	v = &vm->vcpus[out->id];
	if (ioctl(v->fd, KVM_GET_SREGS, &s) < 0)
		return -errno;
	*out = (struct dom_regs){
		.id = out->id,
		.seg = { s.cs.selector, s.ss.selector, s.ds.selector,
			 s.es.selector, s.fs.selector, s.gs.selector },
		.rip = r.rip,
		.rflags = r.rflags,
		.fs_base = s.fs.base,
		.gs_base = s.gs.base,
		.cr0 = s.cr0,
		.cr2 = s.cr2,
		.cr3 = s.cr3,
		.cr4 = s.cr4,
		.efer = s.efer,
	};
	for (size_t i = 0; i < ARRAY_SIZE(gpr); i++)
		memcpy(&out->gpr[i], (const uint8_t *)&r + gpr[i],
		       sizeof(out->gpr[i]));
	return vcpu_kernel_gs(v, &out->kernel_gs_base);
}

int debug_set_regs(struct vm *vm, const struct dom_regs *in)
{
	struct kvm_regs r;
	int ret = settle(vm, in->id, &r);

	if (ret)
		return ret;
	for (size_t i = 0; i < ARRAY_SIZE(gpr); i++)
		memcpy((uint8_t *)&r + gpr[i], &in->gpr[i], sizeof(in->gpr[i]));
	r.rip = in->rip;
	r.rflags = in->rflags;
	return ioctl(vm->vcpus[in->id].fd, KVM_SET_REGS, &r) < 0 ? -errno : 0;
}

/* Swap what is in @buf of a breakpoint's byte with what lies below that. */
static void swap_breaks(struct debug *d, gpa_t at, uint8_t *buf, size_t len,
			bool write)
{
	for (unsigned int i = 0; i < d->n; i++) {
		struct breakpoint *b = &d->brk[i];
		uint8_t *byte;

		if (b->at.v < at.v || b->at.v - at.v >= len)
			continue;
		byte = &buf[b->at.v - at.v];
		if (write && *byte != BREAK)
			b->was = *byte;
		*byte = write ? BREAK : b->was;
	}
}

/* A piece within a page. */
static int copy_piece(struct vm *vm, gpa_t at, uint8_t *buf, size_t len,
		      bool write)
{
	int ret = write ? 0 : guestmem_read(vm->mem, at, buf, len);

	if (ret)
		return ret;
	swap_breaks(vm->debug, at, buf, len, write);
	return write ? guestmem_write(vm->mem, at, buf, len) : 0;
}

static int copy(struct vm *vm, struct dom_peek *p, bool write)
{
	struct gva g;
	gpa_t at;
	size_t n;
	int ret;

	if (p->len > sizeof(p->data))
		return -EINVAL;
	ret = find_walker(vm, p->id, &g);
	for (size_t done = 0; done < p->len && !ret; done += n) {
		uint64_t addr = p->addr + done;

		n = MIN(p->len - done,
			SV_PAGE_SIZE - (size_t)(addr % SV_PAGE_SIZE));
		if (gva_to_gpa(&g, addr, write, &at))
			return -EFAULT;
		ret = copy_piece(vm, at, p->data + done, n, write);
	}
	return ret;
}

int debug_peek(struct vm *vm, struct dom_peek *p)
{
	return copy(vm, p, false);
}

int debug_poke(struct vm *vm, const struct dom_peek *p)
{
	struct dom_peek copied = *p;

	return copy(vm, &copied, true);
}
