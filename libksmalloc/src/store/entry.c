/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The code that begins and ends a call from outside, or a system call that a stop has cut off; room.h says what it is
 * for. It is part of the process that is called, and of no use in the tracer.
 *
 * On the way back rsp is never above what is needed still, so that a signal may come at any point.
 */
#include "ksmalloc/room.h"

#ifdef __x86_64__

#define OFFSET_IS(field, bytes) \
	_Static_assert(offsetof(struct ksr_room_head, field) == (bytes), "entry.c knows where " #field " is")
OFFSET_IS(go, 0);
OFFSET_IS(released, 4);
OFFSET_IS(function, 8);
OFFSET_IS(arguments, 16);
OFFSET_IS(result, 40);
OFFSET_IS(mark, 48);
_Static_assert(offsetof(struct ksr_record, flags) == 112, "entry.c knows where flags is");
_Static_assert(offsetof(struct ksr_record, rbx) == 128, "entry.c knows where rbx is");
_Static_assert(sizeof(struct ksr_record) == 144, "rip is the last word of the record");
_Static_assert(KSR_ROOM_VECTORS == 4096, "entry.c knows where the vector registers are kept");

__asm__(
"	.text\n"
"	.globl	ksr_entry_begin, ksr_entry_failed, ksr_entry_end, ksr_entry_park, ksr_entry_rest\n"
"	.hidden	ksr_entry_begin, ksr_entry_failed, ksr_entry_end, ksr_entry_park, ksr_entry_rest\n"
"	.balign	16\n"
"ksr_entry_begin:\n"
"	cmpl	$0, (%rbx)\n"
"	je	1f\n"
"	movl	$-1, %eax\n"
"	movl	$-1, %edx\n"
"	xsave64	4096(%rbx)\n"
"	movq	16(%rbx), %rdi\n"
"	movq	24(%rbx), %rsi\n"
"	movq	32(%rbx), %rdx\n"
"	xorl	%ebp, %ebp\n"
"	call	*8(%rbx)\n"
"ksr_entry_failed:\n"
"	movq	%rax, 40(%rbx)\n"
"	movl	$-1, %eax\n"
"	movl	$-1, %edx\n"
"	xrstor64 4096(%rbx)\n"
"	movl	$0, (%rbx)\n"
/* The others may go from here on, should the tracer not live any more. */
"1:	movl	$1, 4(%rbx)\n"
"	movl	$39, %eax\n"		/* getpid */
"	syscall\n"
"	movl	%eax, %r12d\n"
"	movl	$186, %eax\n"		/* gettid */
"	syscall\n"
"	movl	%r12d, %edi\n"
"	movl	%eax, %esi\n"
"	movl	48(%rbx), %edx\n"
"	movl	$234, %eax\n"		/* tgkill */
"	syscall\n"
"ksr_entry_end:\n"
/* Only who has no tracer any more comes here. */
"	leaq	4(%rbx), %rdi\n"
"	movl	$129, %esi\n"		/* FUTEX_WAKE, private */
"	movl	$0x7fffffff, %edx\n"
"	movl	$202, %eax\n"
"	syscall\n"
"	movq	%r13, %rbx\n"
"	jmp	3f\n"

"	.balign	16\n"
"ksr_entry_park:\n"
"2:	cmpl	$0, 4(%r12)\n"
"	jne	3f\n"
"	leaq	4(%r12), %rdi\n"
"	movl	$128, %esi\n"		/* FUTEX_WAIT, private */
"	xorl	%edx, %edx\n"
"	xorl	%r10d, %r10d\n"
"	movl	$202, %eax\n"
"	syscall\n"
"	jmp	2b\n"

/* The way back: rbx is the record. First to the own stack, where handlers of signals may run. */
"3:	leaq	-64(%rbx), %rsp\n"
"	andq	$-16, %rsp\n"
"	movl	$2, %edi\n"		/* SIG_SETMASK */
"	leaq	120(%rbx), %rsi\n"
"	xorl	%edx, %edx\n"
"	movl	$8, %r10d\n"
"	movl	$14, %eax\n"		/* rt_sigprocmask */
"	syscall\n"
"4:	pushq	112(%rbx)\n"
"	popfq\n"
"	movq	0(%rbx), %rax\n"
"	movq	8(%rbx), %rcx\n"
"	movq	16(%rbx), %rdx\n"
"	movq	24(%rbx), %rsi\n"
"	movq	32(%rbx), %rdi\n"
"	movq	40(%rbx), %rbp\n"
"	movq	48(%rbx), %r8\n"
"	movq	56(%rbx), %r9\n"
"	movq	64(%rbx), %r10\n"
"	movq	72(%rbx), %r11\n"
"	movq	80(%rbx), %r12\n"
"	movq	88(%rbx), %r13\n"
"	movq	96(%rbx), %r14\n"
"	movq	104(%rbx), %r15\n"
"	leaq	128(%rbx), %rsp\n"
"	popq	%rbx\n"
"	ret	$128\n"

/*
 * Whoever is cancelled in this call finds its way out of it by what the record has: all registers, 272 bytes below the
 * frame.
 */
"	.balign	16\n"
"	.cfi_startproc simple\n"
"	.cfi_signal_frame\n"
"	.cfi_def_cfa %rbx, 272\n"
"	.cfi_offset %rax, -272\n"
"	.cfi_offset %rcx, -264\n"
"	.cfi_offset %rdx, -256\n"
"	.cfi_offset %rsi, -248\n"
"	.cfi_offset %rdi, -240\n"
"	.cfi_offset %rbp, -232\n"
"	.cfi_offset %r8, -224\n"
"	.cfi_offset %r9, -216\n"
"	.cfi_offset %r10, -208\n"
"	.cfi_offset %r11, -200\n"
"	.cfi_offset %r12, -192\n"
"	.cfi_offset %r13, -184\n"
"	.cfi_offset %r14, -176\n"
"	.cfi_offset %r15, -168\n"
"	.cfi_offset %rbx, -144\n"
"	.cfi_offset %rip, -136\n"
"	nop\n" /* an unwinder looks before the address, too */
"ksr_entry_rest:\n"
"	syscall\n"
"	testq	%rax, %rax\n"
"	jle	5f\n"
"	addq	%rax, %r12\n"
"5:	addq	%r12, 0(%rbx)\n" /* what was moved since it was first cut off */
"	jmp	4b\n"
"	.cfi_endproc\n");

#else

const char ksr_entry_begin[1];
const char ksr_entry_failed[1];
const char ksr_entry_end[1];
const char ksr_entry_park[1];
const char ksr_entry_rest[1];

#endif
