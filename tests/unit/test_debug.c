/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_debug.c - a debugger at the VMM, with a KVM that only notes. */
#include "hypervisor/debug.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "hypervisor/domctl.h"
#include "hypervisor/kvm_abi.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vm.h"
#include "tests/lib/fakevm.h"

#define VCPUS	 2
#define FIRST_FD 5000 /* of vCPU 0; nobody's */
#define OUT	 0xee
#define CODE	 UINT64_C(0x200000)
#define TABLES	 UINT64_C(0x100000)

static struct kvm {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_guest_debug debug;
	bool pending; /* an output that is not completed */
} kvm[VCPUS];

static struct fakevm *f;

/* For every ioctl of this program (Makefile). */
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

static int kvm_run(struct kvm *k)
{
	k->regs.rip += k->pending;
	k->pending = false;
	errno = EINTR;
	return -1;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct kvm *k = &kvm[fd - FIRST_FD];
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd < FIRST_FD || fd >= FIRST_FD + VCPUS)
		return __real_ioctl(fd, request, arg);
	switch (request) {
	case KVM_RUN:
		return kvm_run(k);
	case KVM_GET_REGS:
		*(struct kvm_regs *)arg = k->regs;
		return 0;
	case KVM_SET_REGS:
		k->regs = *(const struct kvm_regs *)arg;
		return 0;
	case KVM_GET_SREGS:
		*(struct kvm_sregs *)arg = k->sregs;
		return 0;
	case KVM_GET_MSRS:
		((struct kvm_msrs *)arg)->entries[0].data = 0x77;
		return 1;
	case KVM_SET_GUEST_DEBUG:
		k->debug = *(const struct kvm_guest_debug *)arg;
		return 0;
	default:
		errno = ENOTTY;
		return -1;
	}
}

static void setup(void)
{
	pthread_condattr_t attr;

	log_init("", LOG_LVL_ERR);
	vcpu_signals();
	memset(kvm, 0, sizeof(kvm));
	f = fakevm_new(VCPUS);
	f->vm.cfg.name = "toy";
	f->vm.cfg.vcpus_max = VCPUS;
	f->vm.store.fd = f->vm.console.fd = -1;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->vm.idle, &attr);
	pthread_cond_init(&f->vm.changed, &attr);
	pthread_condattr_destroy(&attr);
	/* No thread runs: they are all at their gates. */
	f->vm.parked = VCPUS;
	for (int i = 0; i < VCPUS; i++)
		f->vcpu[i].fd = FIRST_FD + i;
}

static void teardown(void)
{
	if (f->vm.debug)
		debug_end(&f->vm);
	fakevm_free(f);
}

TestSuite(debug, .init = setup, .fini = teardown);

static void run(uint64_t which, uint64_t step)
{
	const struct dom_debug d = { .run = which, .step = step };

	cr_assert_eq(debug_run(&f->vm, &d), 0);
}

static int point(uint64_t addr, bool on)
{
	const struct dom_break b = { .addr = addr, .on = on };

	return debug_break(&f->vm, &b);
}

static uint8_t byte_at(uint64_t gpa)
{
	return *(const uint8_t *)fakevm_at(f, gpa);
}

static uint8_t peek(uint64_t addr)
{
	struct dom_peek p = { .addr = addr, .len = 1 };

	cr_assert_eq(debug_peek(&f->vm, &p), 0);
	return p.data[0];
}

static int poke(uint64_t addr, uint8_t byte)
{
	const struct dom_peek p = { .addr = addr, .len = 1, .data = { byte } };

	return debug_poke(&f->vm, &p);
}

static void put(uint64_t gpa, uint64_t value)
{
	memcpy(fakevm_at(f, gpa), &value, sizeof(value));
}

/* From now on vCPU 0 translates: 4 KiB at virtual 0 is CODE, with these bits. */
static void paging(uint64_t bits)
{
	struct kvm_sregs *s = &kvm[0].sregs;

	for (uint64_t level = 0; level < 3; level++)
		put(TABLES + level * 4096, (TABLES + (level + 1) * 4096) | 7);
	put(TABLES + 3 * 4096, CODE | bits);
	put(TABLES + 3 * 4096 + 8, CODE | bits);
	s->cr0 = UINT64_C(1) << 31 | UINT64_C(1) << 16;
	s->cr3 = TABLES;
	s->cr4 = 1 << 5;
	s->efer = 1 << 10;
	s->cs.l = 1;
}

/* vCPU @id has come out with that output. */
static bool out_at(unsigned int id, uint64_t rip, uint16_t port)
{
	struct kvm_run *r = f->vcpu[id].run;

	kvm[id].regs.rip = rip;
	kvm[id].pending = true;
	r->s.regs.sregs = kvm[id].sregs;
	r->exit_reason = KVM_EXIT_IO;
	r->io.direction = KVM_EXIT_IO_OUT;
	r->io.size = 1;
	r->io.count = 1;
	r->io.port = port;
	return debug_break_hit(&f->vcpu[id]);
}

Test(debug, nobody_runs_but_who_shall)
{
	cr_expect_eq(debug_still(&f->vm), -EBUSY);
	run(2, 0);
	cr_expect(f->vcpu[0].held);
	cr_expect_not(f->vcpu[1].held);
	cr_expect_eq(debug_still(&f->vm), -EBUSY);
	run(0, 0);
	cr_expect(f->vcpu[1].held);
	cr_expect_eq(debug_still(&f->vm), 0);
	f->vm.parked = 1;
	cr_expect_eq(debug_still(&f->vm), -EBUSY);
	f->vm.parked = VCPUS;
	debug_end(&f->vm);
	cr_expect_not(f->vcpu[0].held);
	cr_expect_null(f->vm.debug);
}

Test(debug, a_breakpoint_is_seen_by_the_guest_alone)
{
	put(CODE, 0x9090909090909055);
	run(0, 0);
	cr_expect_eq(point(CODE, true), 0);
	cr_expect_eq(point(CODE, true), 0, "twice is once");
	cr_expect_eq(byte_at(CODE), OUT);
	cr_expect_eq(peek(CODE), 0x55);
	cr_expect_eq(poke(CODE, 0x66), 0);
	cr_expect_eq(byte_at(CODE), OUT);
	cr_expect_eq(peek(CODE), 0x66);
	cr_expect_eq(peek(CODE + 1), 0x90);
	cr_expect_eq(point(CODE, false), 0);
	cr_expect_eq(point(CODE, false), 0);
	cr_expect_eq(byte_at(CODE), 0x66);
}

Test(debug, breakpoints_are_gone_when_the_debugger_is)
{
	put(CODE, 0x55);
	run(0, 0);
	for (uint64_t i = 0; i < DEBUG_BREAKS; i++)
		cr_assert_eq(point(CODE + i, true), 0);
	cr_expect_eq(point(CODE + DEBUG_BREAKS, true), -ENOSPC);
	debug_end(&f->vm);
	cr_expect_eq(byte_at(CODE), 0x55);
	for (uint64_t i = 1; i < DEBUG_BREAKS; i++)
		cr_assert_eq(byte_at(CODE + i), 0);
}

Test(debug, what_the_guest_has_written_over_one_stays)
{
	put(CODE, 0x55);
	run(0, 0);
	cr_expect_eq(point(CODE, true), 0);
	put(CODE, 0x44);
	debug_end(&f->vm);
	cr_expect_eq(byte_at(CODE), 0x44);
}

Test(debug, one_place_may_have_two_addresses)
{
	put(CODE + 8, 0x55);
	paging(3);
	run(0, 0);
	cr_expect_eq(point(8, true), 0);
	cr_expect_eq(point(4096 + 8, true), 0);
	cr_expect_eq(point(8, false), 0);
	cr_expect_eq(byte_at(CODE + 8), OUT);
	cr_expect_eq(peek(8), 0x55);
	cr_expect_eq(point(4096 + 8, false), 0);
	cr_expect_eq(byte_at(CODE + 8), 0x55);
}

Test(debug, a_breakpoint_is_for_the_kernel)
{
	put(CODE, 0x55);
	paging(7);
	run(0, 0);
	cr_expect_eq(point(0, true), -EFAULT, "a program's");
	cr_expect_eq(point(0x5000, true), -EFAULT, "nothing is mapped");
	cr_expect_eq(byte_at(CODE), 0x55);
	/* The kernel's, which may not write there; a debugger may. */
	paging(1);
	cr_expect_eq(point(0, true), 0);
	cr_expect_eq(byte_at(CODE), OUT);
	cr_expect_eq(poke(8, 0x11), 0);
	cr_expect_eq(byte_at(CODE + 8), 0x11);
}

Test(debug, a_breakpoint_stops_all)
{
	struct dom_stopped s;

	paging(3);
	run(0, 0);
	cr_assert_eq(point(8, true), 0);
	run(3, 0);
	cr_expect_not(debug_stopped(&f->vm, &s));
	kvm[1].sregs = kvm[0].sregs;
	cr_expect(out_at(1, 4096 + 8, 0x3f8), "by its other address");
	cr_expect_eq(kvm[1].regs.rip, 4096 + 8, "it is yet to be executed");
	cr_expect(f->vcpu[0].held && f->vcpu[1].held);
	cr_expect(debug_stopped(&f->vm, &s));
	cr_expect_eq(s.id, 1);
	cr_expect_eq(s.why, DOM_STOP_BREAK);
	cr_expect_not(debug_stopped(&f->vm, &s), "once");
}

Test(debug, kvm_may_be_behind_it)
{
	run(0, 0);
	cr_assert_eq(point(CODE, true), 0);
	run(3, 0);
	cr_expect(out_at(0, CODE + 1, 0x7e));
	cr_expect_eq(kvm[0].regs.rip, CODE);
}

Test(debug, other_outputs_are_the_guests)
{
	run(0, 0);
	cr_assert_eq(point(CODE, true), 0);
	run(3, 0);
	cr_expect_not(out_at(0, CODE + 1, 0xe9));
	cr_expect(kvm[0].pending);
	cr_expect_not(f->vcpu[0].held);
}

Test(debug, a_step_is_one_vcpus)
{
	struct dom_stopped s;

	run(1, 3);
	cr_expect(kvm[0].debug.control & KVM_GUESTDBG_SINGLESTEP);
	cr_expect(kvm[0].debug.control & KVM_GUESTDBG_BLOCKIRQ);
	cr_expect_eq(kvm[1].debug.control, 0, "it does not run");
	debug_exit(&f->vcpu[0]);
	cr_expect(debug_stopped(&f->vm, &s));
	cr_expect_eq(s.id, 0);
	cr_expect_eq(s.why, DOM_STOP_STEP);
	cr_expect_eq(kvm[0].debug.control, 0);
}

Test(debug, a_watchpoint_is_known_by_its_number)
{
	const struct dom_debug d = {
		.run = 3,
		.nwatches = 2,
		.watch = { { CODE, DOM_WATCH_RUN, 1 },
			   { CODE + 8, DOM_WATCH_WRITE, 8 } },
	};
	struct dom_stopped s;

	cr_assert_eq(debug_run(&f->vm, &d), 0);
	for (int i = 0; i < VCPUS; i++) {
		cr_expect_eq(kvm[i].debug.control,
			     KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP);
		cr_expect_eq(kvm[i].debug.arch.debugreg[1], CODE + 8);
		/* G0, G1; R/W1 1, LEN1 2 (8 bytes). */
		cr_expect_eq(kvm[i].debug.arch.debugreg[7], 0x90040a);
	}
	f->vcpu[1].run->debug.arch.dr6 = 2;
	debug_exit(&f->vcpu[1]);
	cr_expect(debug_stopped(&f->vm, &s));
	cr_expect_eq(s.id, 1);
	cr_expect_eq(s.why, DOM_STOP_WATCH);
	cr_expect_eq(s.watch, 1);
	debug_end(&f->vm);
	cr_expect_eq(kvm[0].debug.control, 0);
}

Test(debug, watchpoints_that_make_no_sense)
{
	static const struct dom_debug bad[] = {
		{ .nwatches = DOM_WATCHES + 1 },
		{ .nwatches = 1, .watch = { { CODE, DOM_WATCH_WRITE, 3 } } },
		{ .nwatches = 1, .watch = { { CODE, DOM_WATCH_WRITE, 0 } } },
		{ .nwatches = 1, .watch = { { CODE, DOM_WATCH_WRITE, 16 } } },
		{ .nwatches = 1,
		  .watch = { { CODE + 1, DOM_WATCH_WRITE, 2 } } },
		{ .nwatches = 1, .watch = { { CODE, 2, 1 } } },
		{ .nwatches = 1, .watch = { { CODE, 4, 1 } } },
		{ .nwatches = 1, .watch = { { CODE, DOM_WATCH_RUN, 2 } } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(debug_run(&f->vm, &bad[i]), -EINVAL, "%zu", i);
	cr_expect_null(f->vm.debug);
}

Test(debug, a_debug_exception_of_its_own_is_the_guests)
{
	struct dom_stopped s;

	run(3, 1);
	f->vcpu[1].run->debug.arch.dr6 = 1;
	debug_exit(&f->vcpu[1]);
	cr_expect(kvm[1].debug.control & KVM_GUESTDBG_INJECT_DB);
	cr_expect_not(f->vcpu[1].held);
	cr_expect_not(debug_stopped(&f->vm, &s));
}

Test(debug, registers_go_out_and_in)
{
	struct dom_regs r = { .id = 1 };

	kvm[1].regs = (struct kvm_regs){
		.rax = 1, .rcx = 2, .rsp = 5, .r15 = 16, .rip = 17, .rflags = 2
	};
	kvm[1].sregs.cs.selector = 0x10;
	kvm[1].sregs.gs.base = 0x66;
	kvm[1].pending = true;
	run(0, 0);
	cr_assert_eq(debug_regs(&f->vm, &r), 0);
	cr_expect_eq(r.gpr[0], 1);
	cr_expect_eq(r.gpr[1], 2);
	cr_expect_eq(r.gpr[4], 5);
	cr_expect_eq(r.gpr[15], 16);
	cr_expect_eq(r.rip, 18, "after what was begun");
	cr_expect_eq(r.seg[0], 0x10);
	cr_expect_eq(r.gs_base, 0x66);
	cr_expect_eq(r.kernel_gs_base, 0x77);
	r.gpr[4] = 0x55;
	r.rip = 0x99;
	cr_assert_eq(debug_set_regs(&f->vm, &r), 0);
	cr_expect_eq(kvm[1].regs.rsp, 0x55);
	cr_expect_eq(kvm[1].regs.rip, 0x99);
	cr_expect_eq(kvm[1].regs.r15, 16);
	r.id = VCPUS;
	cr_expect_eq(debug_regs(&f->vm, &r), -ENOENT);
	cr_expect_eq(debug_set_regs(&f->vm, &r), -ENOENT);
}

Test(debug, memory_has_an_end)
{
	struct dom_peek p = { .addr = (16 << 20) - 4, .len = 8 };

	run(0, 0);
	cr_expect_eq(debug_peek(&f->vm, &p), -EFAULT);
	p.len = 4;
	cr_expect_eq(debug_peek(&f->vm, &p), 0);
	p.addr = UINT64_MAX - 1;
	cr_expect_eq(debug_poke(&f->vm, &p), -EFAULT);
	p.len = DOM_PEEK_MAX + 1;
	cr_expect_eq(debug_peek(&f->vm, &p), -EINVAL);
	cr_expect_eq(debug_poke(&f->vm, &p), -EINVAL);
	p = (struct dom_peek){ .id = VCPUS, .len = 1 };
	cr_expect_eq(debug_peek(&f->vm, &p), -ENOENT);
}

Test(debug, a_watchdog_does_not_count_the_time)
{
	uint64_t due = util_clock_ns() + 1000000000;

	f->vm.watchdog[0] = due;
	run(0, 0);
	usleep(2000);
	run(3, 0);
	cr_expect_geq(f->vm.watchdog[0], due + 2000000);
	cr_expect_eq(f->vm.watchdog[1], 0);
}

/* ---- Its socket -------------------------------------------------------------- */

static void serve(struct domctl *d)
{
	static struct pollfd p[DOMCTL_MAX_POLL];
	unsigned int n;

	for (;;) {
		domctl_announce(d);
		n = domctl_pollfds(d, p);
		if (poll(p, n, 0) <= 0)
			return;
		cr_assert(domctl_serve(d, p, n));
	}
}

/* Return: the answer's status; *@msg the answer, or an event that came first. */
static int call(struct domctl *d, int fd, uint16_t type, struct dom_msg *msg)
{
	int fds[SOCK_MAX_FDS];
	size_t n;

	msg->magic = DOM_MAGIC;
	msg->version = DOM_VERSION;
	msg->type = type;
	msg->seq = 1;
	cr_assert_eq(sock_send_fds(fd, msg, sizeof(*msg), NULL, 0), 0);
	serve(d);
	cr_assert_eq(sock_recv_fds(fd, msg, sizeof(*msg), fds, &n), 0);
	cr_assert_eq(n, 0);
	return msg->status;
}

static int dial(struct domctl *d, const char *path)
{
	struct dom_msg msg = { .u.hello.role = DOM_ROLE_ADMIN };
	int fd = sock_connect(path, SOCK_SEQPACKET);

	cr_assert_geq(fd, 0);
	/* What is due has come when it has been served. */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	serve(d);
	cr_assert_eq(call(d, fd, DOM_HELLO, &msg), 0);
	return fd;
}

Test(debug, who_is_killed_leaves_nothing_behind)
{
	char path[] = "/tmp/test_debug.XXXXXX/sock", *slash = &path[22];
	struct dom_msg msg = { .u.brk = { .on = 1, .addr = CODE } };
	int one, other, fds[SOCK_MAX_FDS];
	struct domctl *d;
	size_t n;

	*slash = '\0';
	cr_assert_not_null(mkdtemp(path));
	*slash = '/';
	cr_assert_eq(domctl_new(&d, &f->vm, path), 0);
	put(CODE, 0x55);
	one = dial(d, path);
	other = dial(d, path);
	cr_expect_eq(call(d, one, DOM_BREAK, &msg), -ENOTCONN);
	msg = (struct dom_msg){ .type = 0 };
	cr_assert_eq(call(d, one, DOM_DEBUG, &msg), 0);
	cr_expect_eq(call(d, other, DOM_DEBUG, &msg), -EBUSY);
	cr_expect_eq(call(d, other, DOM_REGS, &msg), -ENOTCONN);
	cr_expect_eq(call(d, other, DOM_SAVE, &msg), -EBUSY);
	msg.u.brk = (struct dom_break){ .on = 1, .addr = CODE };
	cr_assert_eq(call(d, one, DOM_BREAK, &msg), 0);
	cr_expect_eq(byte_at(CODE), OUT);
	msg.u.debug = (struct dom_debug){ .run = 3 };
	cr_assert_eq(call(d, one, DOM_DEBUG, &msg), 0);
	cr_expect_eq(call(d, one, DOM_REGS, &msg), -EBUSY, "it runs");
	cr_assert(out_at(0, CODE, 1));
	serve(d);
	cr_assert_eq(sock_recv_fds(one, &msg, sizeof(msg), fds, &n), 0);
	cr_expect_eq(msg.type, DOM_EV_STOPPED);
	cr_expect_eq(msg.u.stopped.why, DOM_STOP_BREAK);
	close(one);
	serve(d);
	cr_expect_eq(byte_at(CODE), 0x55);
	cr_expect_not(f->vcpu[0].held);
	memset(&msg, 0, sizeof(msg));
	cr_expect_eq(call(d, other, DOM_DEBUG, &msg), 0);
	close(other);
	domctl_free(d);
	cr_expect_null(f->vm.debug);
	*slash = '\0';
	rmdir(path);
}
