/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large blocks can be had on small stacks: in coroutines of 8 KiB and in signal handlers on alternate
 * stacks of 8 KiB (12 on aarch64), the very first block of the process among them, with a quarter of the stack left.
 */
#include "test.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK (8 * TEST_KIB)
#define LEFT  (STACK / 4)
#define PAINT 0xa5
/* The kernel's frame for a handler has 4 KiB more there, for registers to come. */
#ifdef __aarch64__
#define ALTERNATE (STACK + 4 * TEST_KIB)
#else
#define ALTERNATE STACK
#endif

static char stack[ALTERNATE] __attribute__((aligned(4096)));
static ucontext_t main_context, coroutine;
static void *blocks[64];
static int count;

static TEST_NOINLINE void allocate(void)
{
	blocks[count++] = malloc(64 * TEST_KIB);
}

static TEST_NOINLINE void allocate_deeper(void)
{
	allocate();
	__asm__ volatile("" ::: "memory");
}

static TEST_NOINLINE void allocate_much(void)
{
	blocks[count++] = malloc(3 * TEST_MIB);
	blocks[count] = calloc(100, 1000);
	blocks[count] = realloc(blocks[count], 300 * TEST_KIB);
	count++;
	free(blocks[--count]);
}

static void in_coroutine(void)
{
	allocate();
	allocate_deeper();
	allocate_much();
}

static void in_handler(int number)
{
	(void)number;
	allocate();
	allocate_much();
}

/* How much of the stack was never written to. */
static size_t untouched(void)
{
	size_t at = 0;

	while (at < ALTERNATE && (unsigned char)stack[at] == PAINT)
		at++;
	return at;
}

static void run_coroutine(void)
{
	memset(stack, PAINT, sizeof(stack));
	CHECK(getcontext(&coroutine) == 0);
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = STACK;
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, in_coroutine, 0);
	CHECK(swapcontext(&main_context, &coroutine) == 0);
	CHECK_MSG(untouched() >= LEFT, "a coroutine has %zu bytes left", untouched());
}

int main(void)
{
	stack_t alternate = { .ss_sp = stack, .ss_size = ALTERNATE };
	struct sigaction action = { .sa_handler = in_handler, .sa_flags = SA_ONSTACK };

	/* The first block of the process is allocated there. */
	for (int i = 0; i < 4; i++)
		run_coroutine();
	memset(stack, PAINT, sizeof(stack));
	CHECK(sigaltstack(&alternate, NULL) == 0);
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	/* Not out of malloc: only the stack is a signal's. */
	for (int i = 0; i < 4; i++)
		CHECK(raise(SIGUSR1) == 0);
	/* The kernel's frame with the registers is the signal's own cost. */
	CHECK_MSG(untouched() > 0, "a signal handler has nothing left");
	for (int i = 0; i < count; i++) {
		CHECK(blocks[i] != NULL);
		*(char *)blocks[i] = 1;
	}
	test_free_many(blocks, (size_t)count);
	return 0;
}
