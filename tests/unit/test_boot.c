/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/unit/test_boot.c - what a guest finds: memory map, modules, registers. */
#include "hypervisor/boot.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/arch-x86/hvm/start_info.h>

#include "hypervisor/guestmem.h"
#include "hypervisor/layout.h"
#include "tests/lib/toykernel.h"

#define MIB (UINT64_C(1) << 20)

static char kernel[] = "/tmp/test_boot_kernel.XXXXXX";
static char initramfs[] = "/tmp/test_boot_initrd.XXXXXX";

static void setup(void)
{
	static uint8_t elf[TOY_SIZE];
	int fd = mkstemp(kernel);

	toy_elf(elf, &(struct toy){ 0 });
	cr_assert_eq(write(fd, elf, sizeof(elf)), (ssize_t)sizeof(elf));
	close(fd);
	close(mkstemp(initramfs));
}

static void teardown(void)
{
	unlink(kernel);
	unlink(initramfs);
}

TestSuite(boot, .init = setup, .fini = teardown);

static void put_initramfs(uint64_t size)
{
	int fd = open(initramfs, O_WRONLY | O_TRUNC);

	cr_assert_eq(ftruncate(fd, (off_t)size), 0);
	if (size) {
		cr_assert_eq(pwrite(fd, "<", 1, 0), 1);
		cr_assert_eq(pwrite(fd, ">", 1, (off_t)size - 1), 1);
	}
	close(fd);
}

struct size {
	uint64_t mib;
	unsigned int n;
	uint64_t low_end, high_end;
};

ParameterizedTestParameters(boot, memory_maps)
{
	static struct size t[] = {
		{ 128, 6, 128 * MIB, 0 },
		{ 1024, 6, 1024 * MIB, 0 },
		{ 3072, 6, 3072 * MIB, 0 },
		{ 5120, 7, 3072 * MIB, 6144 * MIB },
	};
	return cr_make_param_array(struct size, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct size *t, boot, memory_maps)
{
	struct boot_range r[BOOT_MAX_RANGES];
	uint64_t ram = 0, at = 0, grants = 0;
	struct guestmem *m;
	unsigned int n;

	cr_assert_eq(guestmem_new(&m, t->mib * MIB), 0);
	n = boot_memmap(m, r);
	cr_assert_eq(n, t->n);
	for (unsigned int i = 0; i < n; i++) {
		uint64_t end = r[i].gpa + r[i].size;

		cr_expect(r[i].size && r[i].gpa >= at, "sorted, disjoint");
		cr_expect_eq(r[i].gpa % 4096 + r[i].size % 4096, 0);
		cr_expect(end <= LAYOUT_LAPIC || r[i].gpa > LAYOUT_LAPIC);
		at = end;
		if (r[i].type == XEN_HVM_MEMMAP_TYPE_RAM) {
			cr_expect(guestmem_ptr(m, gpa_of(r[i].gpa), r[i].size));
			ram += r[i].size;
		}
		if (r[i].type == XEN_HVM_MEMMAP_TYPE_UNUSABLE) {
			/* Grant frames are used in place, in RAM. */
			cr_expect(guestmem_ptr(m, gpa_of(r[i].gpa), r[i].size));
			grants += r[i].size;
		}
	}
	cr_expect_eq(r[4].gpa + r[4].size, t->low_end);
	cr_expect_eq(r[5].gpa, 0xfeff8000);
	cr_expect_eq(r[5].type, XEN_HVM_MEMMAP_TYPE_RESERVED);
	if (t->high_end)
		cr_expect_eq(at, t->high_end);
	cr_expect_eq(grants, 64 * 4096);
	/* All but the first MiB is the guest's. */
	cr_expect_geq(ram, (t->mib - 1) * MIB);
	guestmem_free(m);
}

struct ramdisk {
	char name[32];
	uint64_t ram_mib, size;
	uint64_t at; /* 0: refused */
};

ParameterizedTestParameters(boot, initramfs_places)
{
	/* The toy kernel ends at 0x1405000, just over 20 MiB. */
	static struct ramdisk t[] = {
		{ "one byte", 128, 1, 128 * MIB - 4096 },
		{ "a page", 128, 4096, 128 * MIB - 4096 },
		{ "a page and a byte", 128, 4097, 128 * MIB - 8192 },
		{ "as large as can be", 128, 128 * MIB - 0x1405000, 0x1405000 },
		{ "a byte more", 128, 128 * MIB - 0x1405000 + 1, 0 },
		{ "more than memory", 128, 129 * MIB, 0 },
		{ "memory of 1 GiB", 1024, 10 * MIB, 1014 * MIB },
		{ "of 2 GiB: mapped early", 2048, 10 * MIB, 1014 * MIB },
		{ "of 5 GiB", 5120, 10 * MIB, 1014 * MIB },
		{ "too large for that", 2048, 1024 * MIB, 0x1405000 },
		{ "not over 3 GiB", 5120, 3072 * MIB, 0 },
	};
	return cr_make_param_array(struct ramdisk, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct ramdisk *t, boot, initramfs_places)
{
	struct boot_config config = { kernel, initramfs, "quiet", 2 };
	struct hvm_modlist_entry mod;
	struct hvm_start_info si;
	struct boot_entry entry;
	struct guestmem *m;
	struct why why;
	int ret;
	uint8_t *p;

	put_initramfs(t->size);
	cr_assert_eq(guestmem_new(&m, t->ram_mib * MIB), 0);
	ret = boot_load(m, &config, &entry, &why);
	if (!t->at) {
		cr_expect_eq(ret, -ENOSPC);
		cr_expect(strstr(why.text, "does not fit") &&
				  strstr(why.text, "raise memory="),
			  "%s", why.text);
		goto free;
	}
	cr_assert_eq(ret, 0, "%s", why.text);
	cr_assert_eq(
		guestmem_read(m, gpa_of(entry.start_info), &si, sizeof(si)), 0);
	cr_assert_eq(si.nr_modules, 1);
	cr_assert_eq(guestmem_read(m, gpa_of(si.modlist_paddr), &mod,
				   sizeof(mod)),
		     0);
	cr_expect_eq(mod.paddr, t->at, "%s: %lx", t->name, mod.paddr);
	cr_expect(mod.size == t->size && !mod.cmdline_paddr && !mod.reserved);
	p = guestmem_ptr(m, gpa_of(mod.paddr), mod.size);
	cr_assert(p);
	cr_expect_eq(p[t->size - 1], '>');
	cr_expect(t->size == 1 || p[0] == '<');
free:
	guestmem_free(m);
}

Test(boot, start_info)
{
	struct boot_config config = { kernel, NULL, "root=/dev/xvda ro", 2 };
	struct hvm_memmap_table_entry map[BOOT_MAX_RANGES];
	struct boot_range range[BOOT_MAX_RANGES];
	struct hvm_start_info si;
	struct boot_entry entry;
	struct guestmem *m;
	struct why why;
	char text[32];

	cr_assert_eq(guestmem_new(&m, 5120 * MIB), 0);
	cr_assert_eq(boot_load(m, &config, &entry, &why), 0, "%s", why.text);
	cr_expect_eq(entry.rip, TOY_ENTRY);
	cr_assert_eq(
		guestmem_read(m, gpa_of(entry.start_info), &si, sizeof(si)), 0);
	cr_expect_eq(si.magic, 0x336ec578);
	cr_expect(si.version == 1 && !si.flags && !si.reserved);
	cr_expect(!si.nr_modules && !si.modlist_paddr);
	cr_expect_eq(si.rsdp_paddr, LAYOUT_ACPI);
	cr_assert_eq(guestmem_read(m, gpa_of(si.rsdp_paddr), text, 8), 0);
	cr_expect_eq(memcmp(text, "RSD PTR ", 8), 0);
	cr_assert_eq(guestmem_read(m, gpa_of(si.cmdline_paddr), text,
				   sizeof(text)),
		     0);
	cr_expect_str_eq(text, "root=/dev/xvda ro");
	cr_assert_eq(si.memmap_entries, boot_memmap(m, range));
	cr_assert_eq(guestmem_read(m, gpa_of(si.memmap_paddr), map,
				   si.memmap_entries * sizeof(map[0])),
		     0);
	for (unsigned int i = 0; i < si.memmap_entries; i++) {
		cr_expect_eq(map[i].addr, range[i].gpa);
		cr_expect_eq(map[i].size, range[i].size);
		cr_expect_eq(map[i].type, range[i].type);
		cr_expect_eq(map[i].reserved, 0);
	}
	guestmem_free(m);
}

/* XSA-216, XSA-464: bytes that nobody wrote are zero. */
Test(boot, nothing_of_ours_is_left_in_guest_memory)
{
	struct boot_config config = { kernel, NULL, "x", 1 };
	struct boot_entry entry;
	struct guestmem *m;
	struct why why;
	uint8_t *p;
	size_t n = 0;

	cr_assert_eq(guestmem_new(&m, 32 * MIB), 0);
	cr_assert_eq(boot_load(m, &config, &entry, &why), 0, "%s", why.text);
	p = guestmem_ptr(m, gpa_of(0), 32 * MIB);
	for (size_t i = 0; i < 32 * MIB; i++) {
		bool ours = i - LAYOUT_START_INFO < 0x1000 ||
			    i == LAYOUT_CMDLINE || i - LAYOUT_ACPI < 0x1000 ||
			    i - TOY_TEXT_GPA < TOY_TEXT_SIZE ||
			    i - TOY_DATA_GPA < TOY_DATA_SIZE;

		n += p[i] && !ours;
	}
	cr_expect_eq(n, 0);
	guestmem_free(m);
}

struct line {
	size_t len;
	int want;
};

ParameterizedTestParameters(boot, command_lines)
{
	static struct line t[] = {
		{ 0, 0 },
		{ 2047, 0 },
		{ 2048, -E2BIG },
		{ 100000, -E2BIG },
	};
	return cr_make_param_array(struct line, t, sizeof(t) / sizeof(t[0]));
}

ParameterizedTest(struct line *t, boot, command_lines)
{
	char *line = malloc(t->len + 1);
	struct boot_config config = { kernel, NULL, line, 1 };
	struct boot_entry entry;
	struct guestmem *m;
	struct why why;
	char *p;

	memset(line, 'a', t->len);
	line[t->len] = '\0';
	cr_assert_eq(guestmem_new(&m, 32 * MIB), 0);
	cr_expect_eq(boot_load(m, &config, &entry, &why), t->want);
	p = guestmem_ptr(m, gpa_of(LAYOUT_CMDLINE), t->len + 1);
	if (!t->want)
		cr_expect_str_eq(p, line);
	else
		cr_expect(strstr(why.text, "Linux takes 2047"), "%s", why.text);
	guestmem_free(m);
	free(line);
}

Test(boot, refusals)
{
	struct boot_config config = { kernel, "/nonexistent/i", NULL, 1 };
	struct boot_entry entry = { 7, 7 };
	struct guestmem *m;
	struct why why;

	cr_assert_eq(guestmem_new(&m, 32 * MIB), 0);
	cr_expect_eq(boot_load(m, &config, &entry, &why), -ENOENT);
	cr_expect_str_eq(
		why.text,
		"/nonexistent/i: initramfs cannot be opened: No such file or directory; check ramdisk=");
	config.initramfs = "/tmp";
	cr_expect_eq(boot_load(m, &config, &entry, &why), -EINVAL);
	cr_expect(strstr(why.text, "must be a regular file"), "%s", why.text);
	config.initramfs = initramfs;
	cr_expect_eq(boot_load(m, &config, &entry, &why), -EINVAL);
	cr_expect(strstr(why.text, "is empty"), "%s", why.text);
	config.initramfs = NULL;
	config.vcpus_max = 0;
	cr_expect_eq(boot_load(m, &config, &entry, &why), -EINVAL);
	cr_expect(strstr(why.text, "0 vCPUs: must be 1 to 255"), "%s",
		  why.text);
	cr_expect_eq(entry.rip, 7);
	guestmem_free(m);

	config.vcpus_max = 1;
	cr_assert_eq(guestmem_new(&m, 16 * MIB), 0);
	cr_expect_eq(boot_load(m, &config, &entry, &why), -ENOSPC);
	cr_expect(strstr(why.text, "needs memory up to 20.02 MiB"), "%s",
		  why.text);
	guestmem_free(m);
}

Test(boot, registers_of_the_pvh_entry)
{
	struct boot_entry entry = { 0x1000b20, 0x1000 };
	struct kvm_sregs s;
	struct kvm_regs r;

	memset(&r, 0xff, sizeof(r));
	memset(&s, 0xff, sizeof(s));
	s.apic_base = 0xfee00900;
	boot_regs(&entry, &r, &s);
	cr_expect(r.rip == 0x1000b20 && r.rbx == 0x1000 && r.rflags == 2);
	cr_expect(!r.rax && !r.rcx && !r.rdx && !r.rsp && !r.rsi && !r.rdi);
	cr_expect(s.cr0 == 0x11 && !s.cr3 && !s.cr4 && !s.efer);
	cr_expect_eq(s.apic_base, 0xfee00900);
	cr_expect(s.cs.base == 0 && s.cs.limit == UINT32_MAX && s.cs.db &&
		  s.cs.s && s.cs.g && s.cs.present && !s.cs.l && !s.cs.dpl &&
		  s.cs.type == 0xb);
	cr_expect(s.ds.base == 0 && s.ds.limit == UINT32_MAX && s.ds.db &&
		  s.ds.s && s.ds.g && s.ds.present && s.ds.type == 3);
	cr_expect_eq(memcmp(&s.es, &s.ds, sizeof(s.ds)), 0);
	cr_expect_eq(memcmp(&s.ss, &s.ds, sizeof(s.ds)), 0);
	cr_expect(s.tr.base == 0 && s.tr.limit == 0x67 && s.tr.type == 0xb &&
		  s.tr.present && !s.tr.s);
	cr_expect(s.ldt.unusable && !s.gdt.limit && !s.idt.limit);
}
