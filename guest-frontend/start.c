/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/start.c - from the first instruction to guest_main(). */
#include "guest-frontend/start.h"

#include <xen/errno.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/memory.h>
#include <xen/sched.h>

#include "guest-frontend/console.h"
#include "guest-frontend/cpu.h"
#include "guest-frontend/events.h"
#include "guest-frontend/grants.h"
#include "guest-frontend/hypercall.h"
#include "guest-frontend/minilibc.h"
#include "guest-frontend/pages.h"
#include "guest-frontend/smp.h"

#define CODE64	       0x08
#define GATE_INTERRUPT 0x8e /* present, ring 0, 64-bit interrupt gate */
#define EXCEPTIONS     32u
#define STUB_BYTES     ((size_t)16)
#define GRANT_FRAMES   32u
#define MAPPED_END     (UINT64_C(1) << 32)

#define XEN_LEAVES 0x40000000u

struct gate {
	uint16_t low, selector;
	uint8_t ist, type;
	uint16_t middle;
	uint32_t high, zero;
};

uint64_t start_tsc;

static struct gate idt[START_UPCALL_VECTOR + 1];

enum hypercall_way hypercall_way;

extern const uint8_t exception_stubs[], upcall_stub[], image_end[];

/* Called by the entry and the exceptions' stub. */
void start(const struct hvm_start_info *info);
void start_exception(uint64_t vector, uint64_t error, uint64_t rip,
		     uint64_t cr2);

int hypercall_init(void)
{
	uint32_t base = XEN_LEAVES, r[4];

	/* Hypervisors may stack their leaves in steps of 0x100. */
	for (;; base += 0x100) {
		cpu_cpuid(base, r);
		if (!memcmp(&r[1], "XenVMMXenVMM", 12))
			break;
		if (base == XEN_LEAVES + 0xff00)
			return -XEN_ENODEV;
	}
	cpu_cpuid(base + 2, r);
	cpu_wrmsr(r[1], (uintptr_t)hypercall_page);
	return 0;
}

void hypercall_direct(void)
{
	uint32_t r[4];

	cpu_cpuid(0, r);
	hypercall_way = memcmp(&r[1], "Genu", 4) ? HYPERCALL_VMMCALL
						 : HYPERCALL_VMCALL;
}

static void set_gate(unsigned int vector, const uint8_t *to)
{
	uintptr_t at = (uintptr_t)to;

	idt[vector] = (struct gate){
		.low = (uint16_t)at,
		.selector = CODE64,
		.type = GATE_INTERRUPT,
		.middle = (uint16_t)(at >> 16),
		.high = (uint32_t)(at >> 32),
	};
}

static void load_idt(void)
{
	for (unsigned int i = 0; i < EXCEPTIONS; i++)
		set_gate(i, exception_stubs + i * STUB_BYTES);
	set_gate(START_UPCALL_VECTOR, upcall_stub);
	start_cpu();
}

void start_cpu(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (uintptr_t)idt };

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

/* RAM behind the image and below 4 GiB, without what the loader put there. */
static void add_memory(const struct hvm_start_info *info)
{
	const struct hvm_memmap_table_entry *e =
		(const void *)(uintptr_t)info->memmap_paddr;
	const struct hvm_modlist_entry *m =
		(const void *)(uintptr_t)info->modlist_paddr;
	uint64_t from, to;

	for (uint32_t i = 0; i < info->memmap_entries; i++, e++) {
		if (e->type != XEN_HVM_MEMMAP_TYPE_RAM)
			continue;
		from = e->addr;
		to = e->addr + e->size;
		if (from < (uintptr_t)image_end)
			from = (uintptr_t)image_end;
		if (to > MAPPED_END)
			to = MAPPED_END;
		/* The loader puts a module at the end of RAM. */
		if (info->nr_modules && m->paddr >= from && m->paddr < to)
			to = m->paddr;
		if (from < to)
			pages_add(from, to);
	}
}

/* Return: the parameter's value, 0 for none. */
static uint64_t get_param(uint32_t index)
{
	struct xen_hvm_param p = { .domid = DOMID_SELF, .index = index };

	return hypercall_hvm_op(HVMOP_get_param, &p) ? 0 : p.value;
}

void *start_ring(uint32_t pfn_param, uint32_t port_param, uint32_t *port)
{
	uint64_t gfn = get_param(pfn_param), p = get_param(port_param);

	if (!gfn || !p)
		return NULL;
	*port = (uint32_t)p;
	return (void *)(uintptr_t)(gfn * PAGE_BYTES);
}

void *start_grant_table(unsigned int frames)
{
	struct xen_add_to_physmap xatp = {
		.domid = DOMID_SELF,
		.space = XENMAPSPACE_grant_table,
	};
	static void *table;

	if (!table)
		table = pages_alloc(frames);
	for (unsigned int i = 0; table && i < frames; i++) {
		xatp.idx = i;
		xatp.gpfn = page_gfn(table) + i;
		if (hypercall_memory_op(XENMEM_add_to_physmap, &xatp))
			return NULL;
	}
	return table;
}

uint64_t page_gfn(const void *p)
{
	return (uintptr_t)p / PAGE_BYTES;
}

void start_print(const char *text, size_t n)
{
	(void)hypercall_console_io(CONSOLEIO_write, n, text);
}

void start_down(unsigned int reason)
{
	struct sched_shutdown s = { .reason = reason };

	for (;;)
		(void)hypercall_sched_op(SCHEDOP_shutdown, &s);
}

int start_suspend(unsigned int reason)
{
	struct sched_shutdown s = { .reason = reason };
	long ret = smp_hold();

	if (ret)
		return (int)ret;
	/* What an upcall would look at may be gone. */
	cpu_irq_off();
	ret = hypercall_sched_op(SCHEDOP_shutdown, &s);
	if (!ret)
		ret = events_init();
	cpu_irq_on();
	smp_release(!ret);
	return (int)ret;
}

void start_exception(uint64_t vector, uint64_t error, uint64_t rip,
		     uint64_t cr2)
{
	say("exception %lu error %#lx at %#lx, cr2 %#lx", vector, error, rip,
	    cr2);
	start_down(SHUTDOWN_crash);
}

static int set_up(const struct hvm_start_info *info)
{
	int ret;

	add_memory(info);
	ret = events_init();
	return ret ? ret : grants_init(GRANT_FRAMES);
}

void start(const struct hvm_start_info *info)
{
	int ret;

	start_tsc = cpu_tsc();
	smp_init();
	load_idt();
	/* Without a hypervisor there is nobody to tell: the entry halts. */
	if (hypercall_init())
		return;
	ret = set_up(info);
	if (ret) {
		say("start: error %d", ret);
		start_down(SHUTDOWN_crash);
	}
	start_guest((const char *)(uintptr_t)info->cmdline_paddr);
}
