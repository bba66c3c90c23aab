// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/boot.c - what a PVH guest finds in memory and registers.
#include "hypervisor/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/arch-x86/hvm/start_info.h>

#include "base/fd.h"
#include "hypervisor/acpi.h"
#include "hypervisor/guestmem.h"
#include "hypervisor/image.h"
#include "hypervisor/layout.h"

#define CR0_PE	     0x1u
#define CR0_ET	     0x10u
#define RFLAGS_FIXED 0x2u
#define MSR_MTRR_DEF 0x2ff
#define MTRR_ENABLED 0x800u
#define MTRR_WB	     6u
#define PAGE_UP(n)   (((n) + SV_PAGE_SIZE - 1) & ~(uint64_t)(SV_PAGE_SIZE - 1))
#define PAGE_DOWN(n) ((n) & ~(uint64_t)(SV_PAGE_SIZE - 1))

_Static_assert(LAYOUT_MEMMAP + BOOT_MAX_RANGES *
				       sizeof(struct hvm_memmap_table_entry) <=
		       LAYOUT_CMDLINE,
	       "one page holds start_info, modules and memory map");

static void add_range(struct boot_range *range, unsigned int *n, uint64_t from,
		      uint64_t to, uint32_t type)
{
	if (from < to)
		range[(*n)++] = (struct boot_range){ from, to - from, type };
}

unsigned int boot_memmap(const struct guestmem *m,
			 struct boot_range range[BOOT_MAX_RANGES])
{
	uint64_t special_end =
		LAYOUT_SPECIAL + LAYOUT_SPECIAL_PAGES * SV_PAGE_SIZE;
	uint64_t low = m->region[0].size;
	unsigned int n = 0;

	add_range(range, &n, 0, LAYOUT_GRANT, XEN_HVM_MEMMAP_TYPE_RAM);
	add_range(range, &n, LAYOUT_GRANT, LAYOUT_GRANT_END,
		  XEN_HVM_MEMMAP_TYPE_UNUSABLE);
	add_range(range, &n, LAYOUT_GRANT_END, LAYOUT_ISA,
		  XEN_HVM_MEMMAP_TYPE_RAM);
	add_range(range, &n, LAYOUT_ACPI, LAYOUT_ACPI_END,
		  XEN_HVM_MEMMAP_TYPE_NVS);
	add_range(range, &n, LAYOUT_KERNEL_MIN, low, XEN_HVM_MEMMAP_TYPE_RAM);
	add_range(range, &n, LAYOUT_SPECIAL, special_end,
		  XEN_HVM_MEMMAP_TYPE_RESERVED);
	if (m->n > 1)
		add_range(range, &n, m->region[1].gpa.v,
			  m->region[1].gpa.v + m->region[1].size,
			  XEN_HVM_MEMMAP_TYPE_RAM);
	return n;
}

static int open_initramfs(const char *path, uint64_t *size, struct why *why)
{
	struct stat st;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		err = errno;
		return why_set(
			why, -err,
			"%s: initramfs cannot be opened: %s; check ramdisk=",
			path, strerror(err));
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return why_set(
			why, -EINVAL,
			"%s: initramfs must be a regular file; check ramdisk=",
			path);
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

/*
 * The end of the memory that Linux maps early, or of low RAM, is free at boot
 * and far from the kernel; a larger one is put over the kernel.
 */
static int choose_place(const struct guestmem *m, const struct image *img,
			uint64_t size, uint64_t *at)
{
	uint64_t low = m->region[0].size;
	uint64_t first = PAGE_UP(img->end);
	uint64_t top = MIN(low, LAYOUT_EARLY_END);

	if (first <= top && size <= top - first)
		*at = PAGE_DOWN(top - size);
	else if (first <= low && size <= low - first)
		*at = first;
	else
		return -ENOSPC;
	return 0;
}

static int load_initramfs(struct guestmem *m, const struct image *img,
			  const char *path, struct hvm_modlist_entry *module,
			  struct why *why)
{
	char size[WHY_SIZE_MAX], kernel[WHY_SIZE_MAX], low[WHY_SIZE_MAX];
	struct image_src src = { .name = path };
	int ret;

	src.fd = open_initramfs(path, &src.size, why);
	if (src.fd < 0)
		return src.fd;
	if (!src.size) {
		ret = why_set(why, -EINVAL,
			      "%s: initramfs is empty; check ramdisk=", path);
		goto close;
	}
	module->size = src.size;
	ret = choose_place(m, img, src.size, &module->paddr);
	if (ret) {
		ret = why_set(
			why, ret,
			"%s: initramfs of %s does not fit: the kernel ends at %s and the domain's memory below 4 GiB at %s; raise memory=",
			path, why_size(size, src.size),
			why_size(kernel, img->end),
			why_size(low, m->region[0].size));
		goto close;
	}
	ret = image_copy(&src, 0, src.size, m, module->paddr, NULL);
	if (ret)
		ret = why_set(why, ret, "%s: initramfs cannot be read: %s",
			      path, strerror(-ret));
close:
	fd_close(&src.fd);
	return ret;
}

static int load_cmdline(struct guestmem *m, const char *cmdline,
			struct why *why)
{
	size_t len = strlen(cmdline) + 1;

	if (len > LAYOUT_CMDLINE_MAX)
		return why_set(
			why, -E2BIG,
			"kernel command line has %zu bytes, Linux takes %d: shorten extra= or cmdline=",
			len - 1, LAYOUT_CMDLINE_MAX - 1);
	return guestmem_write(m, gpa_of(LAYOUT_CMDLINE), cmdline, len);
}

static int load_memmap(struct guestmem *m, unsigned int *n)
{
	struct hvm_memmap_table_entry entry[BOOT_MAX_RANGES] = { 0 };
	struct boot_range range[BOOT_MAX_RANGES];

	*n = boot_memmap(m, range);
	for (unsigned int i = 0; i < *n; i++) {
		entry[i].addr = range[i].gpa;
		entry[i].size = range[i].size;
		entry[i].type = range[i].type;
	}
	return guestmem_write(m, gpa_of(LAYOUT_MEMMAP), entry, sizeof(entry));
}

int boot_load(struct guestmem *m, const struct boot_config *config,
	      struct boot_entry *out, struct why *why)
{
	struct hvm_modlist_entry module = { 0 };
	struct hvm_start_info si = {
		.magic = XEN_HVM_START_MAGIC_VALUE,
		.version = 1,
		.cmdline_paddr = LAYOUT_CMDLINE,
		.rsdp_paddr = LAYOUT_ACPI,
		.memmap_paddr = LAYOUT_MEMMAP,
	};
	struct image img;
	int ret;

	ret = load_cmdline(m, config->cmdline ?: "", why);
	if (!ret)
		ret = image_load(config->kernel, m, &img, why);
	if (ret)
		return ret;
	if (config->initramfs) {
		ret = load_initramfs(m, &img, config->initramfs, &module, why);
		if (ret)
			return ret;
		si.nr_modules = 1;
		si.modlist_paddr = LAYOUT_MODLIST;
	}
	ret = acpi_build(m, config->vcpus_max);
	if (ret)
		return why_set(why, ret, "%u vCPUs: must be 1 to %d",
			       config->vcpus_max, ACPI_MAX_CPUS);
	ret = load_memmap(m, &si.memmap_entries);
	if (!ret)
		ret = guestmem_write(m, gpa_of(LAYOUT_MODLIST), &module,
				     sizeof(module));
	if (!ret)
		ret = guestmem_write(m, gpa_of(LAYOUT_START_INFO), &si,
				     sizeof(si));
	if (ret)
		return why_set(why, ret, "guest memory is too small");
	*out = (struct boot_entry){ img.entry, LAYOUT_START_INFO };
	return 0;
}

void boot_regs(const struct boot_entry *entry, struct kvm_regs *regs,
	       struct kvm_sregs *sregs)
{
	static const struct kvm_segment code = {
		.limit = UINT32_MAX,
		.type = 0xb, /* execute, read, accessed */
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
	static const struct kvm_segment tss = {
		.limit = 0x67,
		.type = 0xb, /* 32-bit, busy */
		.present = 1,
	};
	struct kvm_segment data = code;

	data.type = 0x3; /* read, write, accessed */
	*regs = (struct kvm_regs){
		.rip = entry->rip,
		.rbx = entry->start_info,
		.rflags = RFLAGS_FIXED,
	};
	sregs->cs = code;
	sregs->ds = sregs->es = sregs->ss = data;
	sregs->fs = sregs->gs = data;
	sregs->tr = tss;
	sregs->ldt = (struct kvm_segment){ .unusable = 1 };
	sregs->gdt = sregs->idt = (struct kvm_dtable){ 0 };
	sregs->cr0 = CR0_PE | CR0_ET;
	sregs->cr2 = sregs->cr3 = sregs->cr4 = sregs->cr8 = 0;
	sregs->efer = 0;
}

int boot_msrs(int vcpu_fd)
{
	union {
		struct kvm_msrs msrs;
		uint8_t room[sizeof(struct kvm_msrs) +
			     sizeof(struct kvm_msr_entry)];
	} u = { .msrs.nmsrs = 1 };
	int n;

	u.msrs.entries[0].index = MSR_MTRR_DEF;
	u.msrs.entries[0].data = MTRR_ENABLED | MTRR_WB;
	n = ioctl(vcpu_fd, KVM_SET_MSRS, &u.msrs);

	if (n < 0)
		return -errno;
	return n == 1 ? 0 : -EINVAL;
}
