/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-frontend/entry_x86_64.S - first instructions, page tables, stubs. */

/*
 * Xen's PVH entry (xen/arch-x86/hvm/start_info.h): 32-bit protected mode without
 * paging, EBX = struct hvm_start_info.  Everything lies below 4 GiB, which is
 * mapped to itself by 2 MiB pages, for good.
 */
#define MSR_EFER   0xc0000080
#define EFER_LME   0x100
#define CR0_PG	   0x80000000
#define CR0_WP	   0x10000
#define CR4_PAE	   0x20
#define CODE64	   0x08
#define DATA	   0x10
#define CODE32	   0x18
#define STACK_SIZE 0x4000

	.section .note.Xen, "a", @note
	.align	4
	.long	4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	pvh_entry

	.section .text.entry, "ax"
	.code32
	.globl	pvh_entry
pvh_entry:
	cld
	lgdt	gdt_pointer
	movl	%ebx, %edi
	movl	$(stack + STACK_SIZE), %esi
	movl	$start, %ebx

/* To 64-bit mode, as any CPU: EBX is called with EDI, on the stack ESI. */
to_long_mode:
	movl	%cr4, %eax
	orl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	movl	%cr0, %eax
	orl	$(CR0_PG | CR0_WP), %eax
	movl	%eax, %cr0
	ljmp	$CODE64, $start64

	.code64
start64:
	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%esi, %esp
	xorl	%ebp, %ebp
	movl	%edi, %edi
	movl	%ebx, %ebx
	call	*%rbx
1:	cli
	hlt
	jmp	1b

/*
 * Where other CPUs begin, in real mode: smp.c copies it to a page below 1 MiB.
 * They take what smp.c left in smp_args: code, argument, stack.
 */
	.code16
	.globl	smp_trampoline, smp_trampoline_end
smp_trampoline:
	cli
	cld
	lgdtl	%cs:(smp_gdt_pointer - smp_trampoline)
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$CODE32, $1f
smp_gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt
smp_trampoline_end:

	.code32
1:	movl	$DATA, %eax
	movl	%eax, %ds
	movl	smp_args, %ebx
	movl	smp_args + 4, %edi
	movl	smp_args + 8, %esi
	jmp	to_long_mode

	.code64
	.text
/*
 * Interrupts and exceptions: registers that C may change are kept.  No SSE is
 * used and no privilege level is changed.
 */
	.macro	SAVE
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	cld
	.endm

	.globl	upcall_stub
upcall_stub:
	SAVE
	/* Nine registers and the CPU's five words: align the stack. */
	movq	%rsp, %rax
	andq	$-16, %rsp
	pushq	%rax
	pushq	%rax
	call	events_upcall
	popq	%rsp
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rax
	iretq

/* Exceptions are the end; 16 bytes for each of the 32. */
	.globl	exception_stubs
	.align	16
exception_stubs:
	.set	vector, 0
	.rept	32
	.align	16
	.if	(0x60227d00 >> vector) & 1	/* the CPU pushes an error code */
	.else
	pushq	$0
	.endif
	pushq	$vector
	jmp	exception_common
	.set	vector, vector + 1
	.endr

exception_common:
	popq	%rdi				/* vector */
	popq	%rsi				/* error code */
	movq	(%rsp), %rdx			/* rip */
	movq	%cr2, %rcx
	andq	$-16, %rsp
	call	start_exception
1:	hlt
	jmp	1b

	.section .rodata
	.align	8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff		/* CODE64 */
	.quad	0x00cf93000000ffff		/* DATA */
	.quad	0x00cf9b000000ffff		/* CODE32 */
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt

	.data
	.align	4096
pml4:
	.quad	pdpt + 0x3
	.fill	511, 8, 0
pdpt:
	.quad	pd + 0x0003
	.quad	pd + 0x1003
	.quad	pd + 0x2003
	.quad	pd + 0x3003
	.fill	508, 8, 0
pd:
	.set	page, 0
	.rept	2048
	.quad	(page << 21) + 0xe3		/* present, writable, A, D, 2 MiB */
	.set	page, page + 1
	.endr

	.bss
	.align	4096
	.globl	hypercall_page
hypercall_page:
	.skip	4096
stack:
	.skip	STACK_SIZE

	.section .note.GNU-stack, "", @progbits
