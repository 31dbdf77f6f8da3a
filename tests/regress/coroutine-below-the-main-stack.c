/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large blocks can be had in a coroutine whose stack lies below the main thread's and ends where nothing can be read: it is no part of
 * that one, however near it is.
 */
#include "test.h"

#include <sys/mman.h>
#include <ucontext.h>

#define STACK (64 * TEST_KIB)
#define PAGE  4096

static char own[STACK + PAGE] __attribute__((aligned(PAGE)));
static ucontext_t main_context, coroutine;
static void *blocks[8];

static TEST_NOINLINE void allocate(size_t at)
{
	blocks[at] = malloc((at + 1) * 100 * TEST_KIB);
	__asm__ volatile("" ::: "memory");
}

static void in_coroutine(void)
{
	for (size_t i = 0; i < 8; i++)
		allocate(i);
}

/* On a stack of STACK bytes, and behind them a page that cannot be read. */
static void try_at(char *stack)
{
	CHECK(mprotect(stack + STACK, PAGE, PROT_NONE) == 0);
	CHECK(getcontext(&coroutine) == 0);
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = STACK;
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, in_coroutine, 0);
	CHECK(swapcontext(&main_context, &coroutine) == 0);
	for (size_t i = 0; i < 8; i++)
		CHECK(blocks[i] != NULL);
	test_free_many(blocks, 8);
}

int main(void)
{
	static const size_t below[] = { 10, 20, 32, 48, 60 };
	unsigned int tried = 0;

	/* Under QEMU the program itself lies below its stack. */
	try_at(own);
	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		uintptr_t wanted = ((uintptr_t)__builtin_frame_address(0) - below[i] * TEST_MIB) & ~(uintptr_t)(PAGE - 1);
		char *stack = mmap((void *)wanted, STACK + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(stack != MAP_FAILED);
		tried += (uintptr_t)stack == wanted;
		try_at(stack);
		CHECK(munmap(stack, STACK + PAGE) == 0);
	}
	/* An address is only a wish: where none of them was met, nothing was tried. */
	CHECK(tried > 0);
	return 0;
}
