// SPDX-License-Identifier: GPL-2.0-or-later
// hypervisor/dump.c - a guest's memory and registers as an ELF core.
#include "hypervisor/dump.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/procfs.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/elfnote.h>
#include <xen/version.h>

#include "base/log.h"
#include "hypervisor/gva.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/vcpu_state.h"
#include "hypervisor/version.h"
#include "hypervisor/vm.h"

/*
 * How it works
 *
 * The file is header, program headers, notes, and, from a page on, memory as it lies
 * in the memfd.  We make all but memory, in a file of RAM, since the domain waits for
 * us; the toolstack writes it all (tools/xl_dump.c).
 */
#define UPPER_HALF UINT64_C(0x8000000000000000)
#define CHUNK	   (UINT64_C(1) << 20)
/* Of the header of a core of an HVM domain (xenctrl.h, XC_CORE_MAGIC_HVM). */
#define HVM_MAGIC 0xf00febeeu

/* ---- What is mapped -------------------------------------------------------- */

/** struct maps - Program headers, the notes' first. */
struct maps {
	const struct guestmem *mem;
	Elf64_Phdr *h; /* owned; p_offset counts from the memfd's beginning */
	uint32_t n, room;
};

static int add(struct maps *m, uint64_t addr, uint64_t gpa, uint64_t offset,
	       uint64_t size)
{
	Elf64_Phdr *last = &m->h[m->n - 1];

	if (last->p_type == PT_LOAD && last->p_vaddr + last->p_filesz == addr &&
	    last->p_paddr + last->p_filesz == gpa &&
	    last->p_offset + last->p_filesz == offset) {
		last->p_filesz += size;
		last->p_memsz += size;
		return 0;
	}
	if (m->n == m->room)
		return -E2BIG;
	m->h[m->n++] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W | PF_X,
		.p_offset = offset,
		.p_vaddr = addr,
		.p_paddr = gpa,
		.p_filesz = size,
		.p_memsz = size,
		.p_align = SV_PAGE_SIZE,
	};
	return 0;
}

/* UNTRUSTED: what of the page is RAM. */
static int add_mapping(void *arg, uint64_t addr, gpa_t gpa, uint64_t size)
{
	uint64_t from = gpa.v;
	struct maps *m = arg;
	int ret = 0;

	for (unsigned int i = 0; i < m->mem->n && !ret; i++) {
		const struct guestmem_region *r = &m->mem->region[i];
		uint64_t at = r->gpa.v;
		uint64_t first = MAX(from, at);
		uint64_t end = MIN(from + size, at + r->size);

		if (first < end)
			ret = add(m, addr + (first - from), first,
				  r->offset + (first - at), end - first);
	}
	return ret;
}

static int find_maps(struct maps *m, struct guestmem *mem,
		     const struct dump_cpu *cpu)
{
	const struct gva g = {
		.mem = mem,
		.cr0 = cpu->sregs.cr0,
		.cr3 = cpu->sregs.cr3,
		.cr4 = cpu->sregs.cr4,
		.efer = cpu->sregs.efer,
		.longmode = true,
	};

	*m = (struct maps){ mem, NULL, 1, 1 + mem->n + DUMP_MAX_MAPS };
	m->h = calloc(m->room, sizeof(*m->h));
	if (!m->h)
		return -ENOMEM;
	m->h[0].p_type = PT_NOTE;
	/* There is room for these, and for one that would not end. */
	for (unsigned int i = 0; i < mem->n; i++) {
		const struct guestmem_region *r = &mem->region[i];

		(void)!add(m, r->gpa.v, r->gpa.v, r->offset, r->size);
	}
	if (gva_each(&g, UPPER_HALF, add_mapping, m))
		log_warn(
			"the core has not all virtual addresses of the guest: its page tables are too many");
	return 0;
}

/* ---- Notes ----------------------------------------------------------------- */

struct notes {
	uint8_t *at; /* NULL: only counts */
	size_t len;
};

static void put(struct notes *n, const void *data, size_t len)
{
	if (n->at && len)
		memcpy(n->at + n->len, data, len);
	n->len += (len + 3) & ~(size_t)3;
}

static void note(struct notes *n, const char *name, uint32_t type,
		 const void *data, size_t len)
{
	const Elf64_Nhdr h = { (uint32_t)strlen(name) + 1, (uint32_t)len,
			       type };

	put(n, &h, sizeof(h));
	put(n, name, h.n_namesz);
	put(n, data, len);
}

static void put_prstatus(struct notes *n, const struct dump_cpu *cpu,
			 unsigned int id)
{
	const struct kvm_sregs *s = &cpu->sregs;
	const struct kvm_regs *r = &cpu->regs;
	struct elf_prstatus p = { .pr_pid = (pid_t)id + 1 };
	/* In the order of struct user_regs_struct (sys/user.h). */
	const elf_gregset_t regs = {
		r->r15,		r->r14,		r->r13,		r->r12,
		r->rbp,		r->rbx,		r->r11,		r->r10,
		r->r9,		r->r8,		r->rax,		r->rcx,
		r->rdx,		r->rsi,		r->rdi,		UINT64_MAX,
		r->rip,		s->cs.selector, r->rflags,	r->rsp,
		s->ss.selector, s->fs.base,	s->gs.base,	s->ds.selector,
		s->es.selector, s->fs.selector, s->gs.selector,
	};

	memcpy(p.pr_reg, regs, sizeof(regs));
	note(n, "CORE", NT_PRSTATUS, &p, sizeof(p));
}

/* Segment and vCPU as in a dump that QEMU makes; crash looks there for CR3 and IDT. */
struct segment {
	uint32_t selector, limit, flags, zero;
	uint64_t base;
};

struct state {
	uint32_t version, size;
	uint64_t
		gpr[16]; /* rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8 to r15 */
	uint64_t rip, rflags;
	struct segment
		segment[10]; /* cs, ds, es, fs, gs, ss, ldt, tr, gdt, idt */
	uint64_t cr[5];
	uint64_t kernel_gs;
};

static struct segment segment(const struct kvm_segment *s)
{
	uint32_t flags = (uint32_t)s->type << 8 | (uint32_t)s->s << 12 |
			 (uint32_t)s->dpl << 13 | (uint32_t)s->present << 15 |
			 (uint32_t)s->avl << 20 | (uint32_t)s->l << 21 |
			 (uint32_t)s->db << 22 | (uint32_t)s->g << 23;

	return (struct segment){ s->selector, s->limit, flags, 0, s->base };
}

static struct segment table(const struct kvm_dtable *t)
{
	return (struct segment){ .limit = t->limit, .base = t->base };
}

static void put_state(struct notes *n, const struct dump_cpu *cpu)
{
	const struct kvm_sregs *s = &cpu->sregs;
	const struct kvm_regs *r = &cpu->regs;
	const struct state state = {
		.version = 1,
		.size = sizeof(state),
		.gpr = { r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rsp,
			 r->rbp, r->r8, r->r9, r->r10, r->r11, r->r12, r->r13,
			 r->r14, r->r15 },
		.rip = r->rip,
		.rflags = r->rflags,
		.segment = { segment(&s->cs), segment(&s->ds), segment(&s->es),
			     segment(&s->fs), segment(&s->gs), segment(&s->ss),
			     segment(&s->ldt), segment(&s->tr), table(&s->gdt),
			     table(&s->idt) },
		.cr = { s->cr0, 0, s->cr2, s->cr3, s->cr4 },
		.kernel_gs = cpu->kernel_gs,
	};

	note(n, "QEMU", 0, &state, sizeof(state));
}

static void put_xen(struct notes *n, const struct guestmem *mem,
		    unsigned int ncpus)
{
	/* Magic, vCPUs, pages, bytes of a page. */
	const uint64_t header[] = { HVM_MAGIC, ncpus,
				    mem->size >> SV_PAGE_SHIFT, SV_PAGE_SIZE };
	struct {
		uint64_t major, minor;
		xen_extraversion_t extra;
		xen_compile_info_t compiled;
		xen_capabilities_info_t capabilities;
		xen_changeset_info_t changeset;
		xen_platform_parameters_t platform;
		uint64_t page_size;
	} version = { VERSION_MAJOR, VERSION_MINOR, .extra = VERSION_EXTRA,
		      .page_size = SV_PAGE_SIZE };

	note(n, "Xen", XEN_ELFNOTE_DUMPCORE_NONE, NULL, 0);
	note(n, "Xen", XEN_ELFNOTE_DUMPCORE_HEADER, header, sizeof(header));
	note(n, "Xen", XEN_ELFNOTE_DUMPCORE_XEN_VERSION, &version,
	     sizeof(version));
}

/* Bytes of all notes; with @at they are written there. */
static size_t put_notes(uint8_t *at, const struct guestmem *mem,
			const struct dump_cpu *cpu, unsigned int ncpus)
{
	struct notes n = { .at = at };

	for (unsigned int i = 0; i < ncpus; i++)
		put_prstatus(&n, &cpu[i], i);
	for (unsigned int i = 0; i < ncpus; i++)
		put_state(&n, &cpu[i]);
	put_xen(&n, mem, ncpus);
	return n.len;
}

/* ---- The file -------------------------------------------------------------- */

/* SYSCALLS, at times: pwrite64 */
static int write_at(int fd, const void *buf, uint64_t len, uint64_t at)
{
	const uint8_t *from = buf;

	while (len) {
		ssize_t n = pwrite(fd, from, MIN(len, CHUNK), (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from += n;
		len -= (uint64_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

static int write_head(int fd, struct maps *m, const struct dump_cpu *cpu,
		      unsigned int ncpus, uint64_t *data)
{
	Elf64_Ehdr h = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			     ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(h),
		.e_ehsize = sizeof(h),
		.e_phentsize = sizeof(*m->h),
		.e_phnum = (uint16_t)m->n,
	};
	size_t len = put_notes(NULL, m->mem, cpu, ncpus);
	uint8_t *notes = calloc(1, len);
	int ret;

	if (!notes)
		return -ENOMEM;
	put_notes(notes, m->mem, cpu, ncpus);
	m->h[0].p_offset = sizeof(h) + m->n * sizeof(*m->h);
	m->h[0].p_filesz = len;
	*data = (m->h[0].p_offset + len + SV_PAGE_SIZE - 1) &
		~(uint64_t)(SV_PAGE_SIZE - 1);
	for (uint32_t i = 1; i < m->n; i++)
		m->h[i].p_offset += *data;
	ret = write_at(fd, &h, sizeof(h), 0);
	if (!ret)
		ret = write_at(fd, m->h, m->n * sizeof(*m->h), sizeof(h));
	if (!ret)
		ret = write_at(fd, notes, len, m->h[0].p_offset);
	free(notes);
	return ret;
}

/* SYSCALLS, at times: ftruncate */
int dump_head(int fd, struct guestmem *mem, const struct dump_cpu *cpu,
	      unsigned int ncpus)
{
	struct maps m;
	uint64_t data;
	int ret = find_maps(&m, mem, cpu);

	if (!ret)
		ret = write_head(fd, &m, cpu, ncpus, &data);
	if (!ret && ftruncate(fd, (off_t)data) < 0)
		ret = -errno;
	free(m.h);
	return ret;
}

/* ---- The domain ------------------------------------------------------------ */

/* SYSCALLS, at times: ioctl:KVM_GET_REGS ioctl:KVM_GET_SREGS */
static int get_cpu(struct vcpu *v, struct dump_cpu *cpu)
{
	if (ioctl(v->fd, KVM_GET_REGS, &cpu->regs) < 0 ||
	    ioctl(v->fd, KVM_GET_SREGS, &cpu->sregs) < 0)
		return -errno;
	return vcpu_kernel_gs(v, &cpu->kernel_gs);
}

/* lock: vm->lock */
static int dump(struct vm *vm, int fd)
{
	struct dump_cpu *cpu;
	int ret = 0;

	if (vm->parked < vm->nvcpus)
		return -EBUSY;
	cpu = calloc(vm->nvcpus, sizeof(*cpu));
	if (!cpu)
		return -ENOMEM;
	for (unsigned int i = 0; i < vm->nvcpus && !ret; i++)
		ret = get_cpu(&vm->vcpus[i], &cpu[i]);
	if (!ret)
		ret = dump_head(fd, vm->mem, cpu, vm->nvcpus);
	free(cpu);
	return ret;
}

/* SYSCALLS, at times: fcntl */
int dump_vm(struct vm *vm, int fd)
{
	bool was_paused;
	int ret;

	/* Everybody else waits for us: a disk or a pipe may have us wait. */
	if (fcntl(fd, F_GET_SEALS) < 0)
		return -ESPIPE;
	was_paused = vm_hold(vm);
	ret = dump(vm, fd);
	vm_release(vm, was_paused);
	return ret;
}
