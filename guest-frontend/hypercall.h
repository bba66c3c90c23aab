/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/hypercall.h - hypercalls of a 64-bit guest. */
#ifndef GUEST_FRONTEND_HYPERCALL_H
#define GUEST_FRONTEND_HYPERCALL_H

#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>

/*
 * How it works
 *
 * Number in rax, arguments in rdi, rsi, rdx, r10, r8 (xen/arch-x86/xen-x86_64.h).
 * Guests call through the page that the hypervisor fills (hypercall_init()), or
 * directly with the instruction of the CPU's make; both are the same to the
 * hypervisor, and tests want both.
 */

/** enum hypercall_way - How hypercalls are made from now on. */
enum hypercall_way {
	HYPERCALL_PAGE,	   /* the page; any hypervisor fills it right */
	HYPERCALL_VMCALL,  /* Intel's instruction */
	HYPERCALL_VMMCALL, /* AMD's */
};

extern enum hypercall_way hypercall_way;
extern uint8_t hypercall_page[4096];

/**
 * hypercall_init() - Find the hypervisor and have the page filled.
 *
 * Return: 0, or -ENODEV if CPUID shows no Xen.
 */
int hypercall_init(void);

/** hypercall_direct() - Use this CPU's own instruction from now on. */
void hypercall_direct(void);

/* clang-format off */
#define HYPERCALL_ASM_(code, ...)                                              \
	__asm__ volatile(code                                                  \
			 : "=a"(ret), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), \
			   "+r"(r8)                                            \
			 : __VA_ARGS__                                         \
			 : "memory", "rcx", "r11", "cc")
/* clang-format on */

/** hypercall() - Make one; unused arguments are 0.  Return: rax. */
static inline long hypercall(unsigned int nr, uintptr_t a1, uintptr_t a2,
			     uintptr_t a3, uintptr_t a4, uintptr_t a5)
{
	register uintptr_t r10 __asm__("r10") = a4;
	register uintptr_t r8 __asm__("r8") = a5;
	const uint8_t *entry = hypercall_page + nr * 32;
	long ret;

	switch (hypercall_way) {
	case HYPERCALL_VMCALL:
		HYPERCALL_ASM_("vmcall", "0"(nr));
		break;
	case HYPERCALL_VMMCALL:
		HYPERCALL_ASM_("vmmcall", "0"(nr));
		break;
	default:
		HYPERCALL_ASM_("call *%[entry]", [entry] "b"(entry));
	}
	return ret;
}

static inline long hypercall_memory_op(unsigned int cmd, void *arg)
{
	return hypercall(__HYPERVISOR_memory_op, cmd, (uintptr_t)arg, 0, 0, 0);
}

static inline long hypercall_xen_version(unsigned int cmd, void *arg)
{
	return hypercall(__HYPERVISOR_xen_version, cmd, (uintptr_t)arg, 0, 0,
			 0);
}

static inline long hypercall_console_io(unsigned int cmd, size_t n,
					const char *text)
{
	return hypercall(__HYPERVISOR_console_io, cmd, n, (uintptr_t)text, 0,
			 0);
}

static inline long hypercall_grant_table_op(unsigned int cmd, void *arg,
					    unsigned int n)
{
	return hypercall(__HYPERVISOR_grant_table_op, cmd, (uintptr_t)arg, n, 0,
			 0);
}

static inline long hypercall_vcpu_op(unsigned int cmd, unsigned int vcpu,
				     void *arg)
{
	return hypercall(__HYPERVISOR_vcpu_op, cmd, vcpu, (uintptr_t)arg, 0, 0);
}

static inline long hypercall_sched_op(unsigned int cmd, void *arg)
{
	return hypercall(__HYPERVISOR_sched_op, cmd, (uintptr_t)arg, 0, 0, 0);
}

static inline long hypercall_event_channel_op(unsigned int cmd, void *arg)
{
	return hypercall(__HYPERVISOR_event_channel_op, cmd, (uintptr_t)arg, 0,
			 0, 0);
}

static inline long hypercall_hvm_op(unsigned int cmd, void *arg)
{
	return hypercall(__HYPERVISOR_hvm_op, cmd, (uintptr_t)arg, 0, 0, 0);
}

#endif
