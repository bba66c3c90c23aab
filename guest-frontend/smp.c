/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/smp.c - more than one CPU. */
#include "guest-frontend/smp.h"

#include <stdbool.h>
#include <stdint.h>
#include <xen/errno.h>

#include "guest-frontend/cpu.h"
#include "guest-frontend/events.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/start.h"

/* RAM that nothing else uses: the allocator begins above 1 MiB. */
#define TRAMPOLINE UINT32_C(0x8000)

#define APIC_ICR      UINT32_C(0xfee00300)
#define APIC_ICR_DEST UINT32_C(0xfee00310)
#define ICR_INIT      UINT32_C(0x4500)
#define ICR_STARTUP   UINT32_C(0x4600)

#define STACK_PAGES 4u
#define START_NS    UINT64_C(10000000000)
#define LOOK_NS	    UINT64_C(1000000)

extern const uint8_t smp_trampoline[], smp_trampoline_end[];

/* For the trampoline: code, argument, top of the stack. */
struct {
	uint32_t code, argument, stack;
} smp_args;

static struct cpu cpus[EVENTS_CPUS];
static void (*run)(unsigned int cpu);
static bool is_up;

/* Who could rest, who does, whether they shall, and how often it was anew. */
static unsigned int nothers, resting, held, lives;

void smp_init(void)
{
	cpu_set(&cpus[0]);
}

static void write_apic(uint32_t reg, uint32_t v)
{
	*(volatile uint32_t *)(uintptr_t)reg = v;
}

static void begin(unsigned int cpu)
{
	void (*fn)(unsigned int) = run;

	cpus[cpu].id = cpu;
	cpu_set(&cpus[cpu]);
	start_cpu();
	if (events_init_cpu())
		return;
	__atomic_store_n(&is_up, true, __ATOMIC_RELEASE);
	fn(cpu);
}

int smp_start(unsigned int cpu, void (*fn)(unsigned int cpu))
{
	size_t size = (uintptr_t)smp_trampoline_end - (uintptr_t)smp_trampoline;
	uint8_t *stack = pages_alloc(STACK_PAGES);
	uint64_t until = events_deadline(START_NS);

	if (!stack)
		return -XEN_ENOMEM;
	memcpy((void *)(uintptr_t)TRAMPOLINE, smp_trampoline, size);
	smp_args.code = (uint32_t)(uintptr_t)begin;
	smp_args.argument = cpu;
	smp_args.stack =
		(uint32_t)(uintptr_t)(stack + (size_t)STACK_PAGES * PAGE_BYTES);
	run = fn;
	__atomic_store_n(&is_up, false, __ATOMIC_RELEASE);
	write_apic(APIC_ICR_DEST, cpu << 24);
	write_apic(APIC_ICR, ICR_INIT);
	write_apic(APIC_ICR_DEST, cpu << 24);
	write_apic(APIC_ICR, ICR_STARTUP | TRAMPOLINE >> 12);
	while (!__atomic_load_n(&is_up, __ATOMIC_ACQUIRE)) {
		if (events_now() >= until)
			return -XEN_ETIME;
		events_sleep(LOOK_NS);
	}
	nothers++;
	return 0;
}

/* ---- Resting --------------------------------------------------------------- */

int smp_rest(void)
{
	unsigned int life = __atomic_load_n(&lives, __ATOMIC_ACQUIRE);

	if (!__atomic_load_n(&held, __ATOMIC_ACQUIRE))
		return 0;
	cpu_irq_off();
	__atomic_add_fetch(&resting, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&held, __ATOMIC_ACQUIRE))
		cpu_relax();
	__atomic_sub_fetch(&resting, 1, __ATOMIC_SEQ_CST);
	if (life != __atomic_load_n(&lives, __ATOMIC_ACQUIRE))
		return events_init_cpu();
	cpu_irq_on();
	return 0;
}

int smp_hold(void)
{
	uint64_t until = events_deadline(START_NS);

	__atomic_store_n(&held, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&resting, __ATOMIC_SEQ_CST) < nothers) {
		if (events_now() >= until) {
			smp_release(false);
			return -XEN_EBUSY;
		}
		events_sleep(LOOK_NS);
	}
	return 0;
}

void smp_release(bool anew)
{
	if (anew)
		__atomic_add_fetch(&lives, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&held, 0, __ATOMIC_SEQ_CST);
	/* The next time begins when all of this one have left. */
	while (__atomic_load_n(&resting, __ATOMIC_SEQ_CST))
		cpu_relax();
}
