/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Restartable sequences that count in one word for each processor, by plain instructions: a thread
 * that was led out of the middle of one, and goes on there, loses what another one counted meanwhile.
 */
#include "storm.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#if defined(__x86_64__) && defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
#include <sys/rseq.h>

#define PROCESSORS 1024

static volatile uint64_t counted[PROCESSORS][8];
static atomic_ullong successes;

/* Was it done? The loop makes it likely that a stop falls between the load and the store. */
static bool count_once(struct rseq *area, volatile uint64_t *word, uint32_t processor)
{
	__asm__ goto(".pushsection __rseq_cs, \"aw\"\n"
		     ".balign 32\n"
		     "3:	.long 0, 0\n"
		     "	.quad 1f, 2f - 1f, 4f\n"
		     ".popsection\n"
		     ".pushsection .text.unlikely, \"ax\"\n"
		     "	.byte 0x0f, 0xb9, 0x3d\n"
		     "	.long 0x53053053\n"
		     "4:	jmp %l[aborted]\n"
		     ".popsection\n"
		     "	leaq 3b(%%rip), %%rax\n"
		     "	movq %%rax, 8(%[area])\n"
		     "1:	cmpl %[processor], 4(%[area])\n"
		     "	jne 4b\n"
		     "	movq (%[word]), %%rax\n"
		     "	movl $2000, %%ecx\n"
		     "5:	decl %%ecx\n"
		     "	jnz 5b\n"
		     "	incq %%rax\n"
		     "	movq %%rax, (%[word])\n"
		     "2:\n"
		     :
		     : [area] "r"(area), [word] "r"(word), [processor] "r"(processor)
		     : "rax", "rcx", "memory", "cc"
		     : aborted);
	return true;
aborted:
	return false;
}

void storm_sequence(unsigned int number)
{
	struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	unsigned long long done = 0;
	cpu_set_t one;

	if (!__rseq_size)
		return;
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu() & ~1, &one);
	sched_setaffinity(0, sizeof(one), &one);
	while (!storm_ended()) {
		uint32_t processor = *(volatile uint32_t *)&area->cpu_id_start;

		if (processor >= PROCESSORS)
			break;
		if (count_once(area, counted[processor], processor))
			done++;
		else
			storm->retried++;
		storm->rounds[number]++;
	}
	atomic_fetch_add(&successes, done);
}

void storm_sequence_check(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < PROCESSORS; i++)
		sum += counted[i][0];
	if (sum != successes)
		storm_failed("restartable sequences counted %llu, and %llu are there", successes,
			     (unsigned long long)sum);
}

#else

void storm_sequence(unsigned int number)
{
	(void)number;
}

void storm_sequence_check(void)
{
}

#endif
