/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/cpu.h - instructions that C does not know. */
#ifndef GUEST_FRONTEND_CPU_H
#define GUEST_FRONTEND_CPU_H

#include <stdint.h>

/** cpu_cpuid() - CPUID of @leaf, sub-leaf 0; @r receives eax, ebx, ecx, edx. */
static inline void cpu_cpuid(uint32_t leaf, uint32_t r[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "a"(leaf), "c"(0));
}

/** cpu_wrmsr() - Write a model-specific register. */
static inline void cpu_wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
			 : "memory");
}

/** struct cpu - What GS of each CPU points to. */
struct cpu {
	uint32_t id;
};

/** cpu_set() - Make @c this CPU's own. */
static inline void cpu_set(const struct cpu *c)
{
	cpu_wrmsr(0xc0000101, (uintptr_t)c);
}

/** cpu_id() - Number of the vCPU that runs this. */
static inline uint32_t cpu_id(void)
{
	uint32_t id;

	__asm__ volatile("movl %%gs:0, %0" : "=r"(id));
	return id;
}

/** cpu_tsc() - The time stamp counter, not before earlier loads. */
static inline uint64_t cpu_tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/** cpu_irq_off(), cpu_irq_on() - Interrupts of this CPU. */
static inline void cpu_irq_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline void cpu_irq_on(void)
{
	__asm__ volatile("sti" : : : "memory");
}

/** cpu_irq_on_and_halt() - Wait for an interrupt; none slips in between. */
static inline void cpu_irq_on_and_halt(void)
{
	__asm__ volatile("sti; hlt" : : : "memory");
}

/** cpu_relax() - In loops that wait. */
static inline void cpu_relax(void)
{
	__builtin_ia32_pause();
}

#endif
