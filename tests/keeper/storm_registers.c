/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every register, the flags, the control words, the x87 stack, the vector registers and the red
 * zone get values that depend on base; after a loop that changes none of them they are compared.
 */
#include "storm.h"

#ifdef __x86_64__

int storm_registers_turn(uint64_t base, uint64_t turns);

__asm__(
"	.macro	both register, bytes, vector\n"
"	leaq	\\bytes(%rdi), \\register\n"
"	movq	\\register, -8*\\bytes-8(%rsp)\n"
"	vmovq	\\register, %xmm\\vector\n"
"	vpbroadcastq %xmm\\vector, %ymm\\vector\n"
"	.endm\n"
"	.macro	compare register, bytes, vector\n"
"	movl	$\\bytes, %eax\n"
"	leaq	\\bytes(%rdi), %r15\n"
"	cmpq	%r15, \\register\n"
"	jne	9f\n"
"	addl	$100, %eax\n"
"	cmpq	%r15, -8*\\bytes-8(%rsp)\n"
"	jne	9f\n"
"	addl	$100, %eax\n"
"	vmovq	%r15, %xmm15\n"
"	vpbroadcastq %xmm15, %ymm15\n"
"	vpcmpeqq %ymm\\vector, %ymm15, %ymm15\n"
"	vpmovmskb %ymm15, %r15d\n"
"	cmpl	$-1, %r15d\n"
"	jne	9f\n"
"	.endm\n"
"	.text\n"
"	.globl	storm_registers_turn\n"
"storm_registers_turn:\n"
"	pushq	%rbx\n	pushq	%rbp\n	pushq	%r12\n	pushq	%r13\n	pushq	%r14\n	pushq	%r15\n"
"	movq	%rsi, %r15\n"
"	movq	%rdi, -8(%rsp)\n"
/* Rounding of both units is set to upwards. */
"	movl	$0x5fa0, -128(%rsp)\n"
"	ldmxcsr	-128(%rsp)\n"
"	movl	$0x0b7f, -128(%rsp)\n"
"	fninit\n"
"	fldcw	-128(%rsp)\n"
"	fld1\n	fldz\n	fld1\n"
"	both	%rax, 1, 1\n	both	%rbx, 2, 2\n	both	%rcx, 3, 3\n	both	%rdx, 4, 4\n"
"	both	%rsi, 5, 5\n	both	%rbp, 6, 6\n	both	%r8, 7, 7\n	both	%r9, 8, 8\n"
"	both	%r10, 9, 9\n	both	%r11, 10, 10\n	both	%r12, 11, 11\n	both	%r13, 12, 12\n"
"	both	%r14, 13, 13\n"
"	movq	%rdi, -128(%rsp)\n"
"	vmovq	%rdi, %xmm0\n"
"	vpbroadcastq %xmm0, %ymm0\n"
/* dec leaves the carry as it is; std would break what a handler of a signal relies on. */
"	stc\n"
"1:	decq	%r15\n"
"	jnz	1b\n"
"	movq	%rax, %r15\n"
"	movl	$50, %eax\n"
"	jnc	9f\n"
"	cmpq	%rdi, -8(%rsp)\n"
"	jne	9f\n"
"	cmpq	%rdi, -128(%rsp)\n"
"	jne	9f\n"
"	movl	$1, %eax\n"
"	cmpq	-16(%rsp), %r15\n"
"	jne	9f\n"
"	compare	%rbx, 2, 2\n	compare	%rcx, 3, 3\n	compare	%rdx, 4, 4\n	compare	%rsi, 5, 5\n"
"	compare	%rbp, 6, 6\n	compare	%r8, 7, 7\n	compare	%r9, 8, 8\n	compare	%r10, 9, 9\n"
"	compare	%r11, 10, 10\n	compare	%r12, 11, 11\n	compare	%r13, 12, 12\n	compare	%r14, 13, 13\n"
"	movl	$60, %eax\n"
"	stmxcsr	-128(%rsp)\n"
"	cmpl	$0x5fa0, -128(%rsp)\n"
"	jne	9f\n"
"	fnstcw	-128(%rsp)\n"
"	cmpw	$0x0b7f, -128(%rsp)\n"
"	jne	9f\n"
"	movl	$70, %eax\n"
"	fistpl	-128(%rsp)\n	cmpl	$1, -128(%rsp)\n	jne	9f\n"
"	fistpl	-128(%rsp)\n	cmpl	$0, -128(%rsp)\n	jne	9f\n"
"	fistpl	-128(%rsp)\n	cmpl	$1, -128(%rsp)\n	jne	9f\n"
"	xorl	%eax, %eax\n"
"9:	movl	$0x1f80, -128(%rsp)\n"
"	ldmxcsr	-128(%rsp)\n"
"	fninit\n"
"	vzeroupper\n"
"	popq	%r15\n	popq	%r14\n	popq	%r13\n	popq	%r12\n	popq	%rbp\n	popq	%rbx\n"
"	ret\n");

int storm_check_registers(uint64_t base, uint64_t turns)
{
	return __builtin_cpu_supports("avx2") ? storm_registers_turn(base, turns) : 0;
}

#else

int storm_check_registers(uint64_t base, uint64_t turns)
{
	(void)base;
	(void)turns;
	return 0;
}

#endif
