/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Coroutines on stacks that are unmapped and mapped again at the same place in
 * other sizes: a cached stack trace must never be checked by reading memory
 * that is gone. Depths and sizes are run through so that frames meet the
 * addresses of earlier ones, with and without mapped memory above them.
 */
#include "test.h"

#include <sys/mman.h>
#include <ucontext.h>

#define PLACE_SIZE	(64 * TEST_PAGE)
#define SIZES		14
#define DEPTHS		60

static ucontext_t main_context, coroutine;
static void *result;
static int wanted_depth;

static TEST_NOINLINE void *allocate_deep(int depth)
{
	char frame[200];
	void *block;

	memset(frame, depth, sizeof(frame));
	__asm__ volatile("" : : "r"(frame) : "memory");
	block = depth > 0 ? allocate_deep(depth - 1) : malloc(16 * TEST_KIB);
	__asm__ volatile("" : : "r"(frame) : "memory");
	return block;
}

static void body(void)
{
	result = allocate_deep(wanted_depth);
	CHECK(result != NULL);
	/* Switches away in the middle, and comes back. */
	CHECK(swapcontext(&coroutine, &main_context) == 0);
	free(result);
	result = allocate_deep(wanted_depth / 2);
	CHECK(result != NULL);
}

static void run_on(char *stack, size_t size, int depth)
{
	CHECK(mmap(stack, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == stack);
	CHECK(getcontext(&coroutine) == 0);
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = size;
	coroutine.uc_link = &main_context;
	wanted_depth = depth;
	makecontext(&coroutine, body, 0);
	CHECK(swapcontext(&main_context, &coroutine) == 0);
	test_fill(result, 16 * TEST_KIB, (uint64_t)depth);
	CHECK(test_matches(result, 16 * TEST_KIB, (uint64_t)depth));
	CHECK(swapcontext(&main_context, &coroutine) == 0);
	free(result);
	CHECK(munmap(stack, size) == 0);
}

int main(void)
{
	char *place = mmap(NULL, PLACE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(place != MAP_FAILED);
	/* The place stays free between two stacks: nothing lies above a stack's end. */
	CHECK(munmap(place, PLACE_SIZE) == 0);
	for (int round = 0; round < 2; round++)
		for (int depth = 0; depth < DEPTHS; depth++)
			for (size_t pages = SIZES; pages >= 8; pages--)
				run_on(place + (SIZES - pages) / 3 * TEST_PAGE, pages * TEST_PAGE, depth % 50);
	return 0;
}
