/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process with threads that allocate, resize and walk stacks all the time
 * forks 300 times, and each child allocates, checks and ends: no lock of the
 * library may be held by a thread that the child does not have.
 */
#include "fork-often.h"

#include <execinfo.h>

#define FORKS 300

static TEST_NOINLINE void churn(uint64_t *state, int depth)
{
	/* Stacks of many depths are new to the library's cache, so that it walks and locks. */
	if (depth > 0) {
		churn(state, depth - 1);
		__asm__ volatile("" ::: "memory");
		return;
	}
	size_t size = test_random(state) % 2 ? 20000 + test_random(state) % 50000 : test_random(state) % 2000;
	char *block = malloc(size), *other = calloc(1, 30000);

	CHECK(block && other);
	test_fill(block, size, size);
	block = realloc(block, size * 2 + 1);
	CHECK(block && test_matches(block, size, size));
	free(other);
	free(block);
}

static void *run(void *data)
{
	uint64_t state = (uint64_t)(uintptr_t)data;
	void *frames[8];

	while (!stop) {
		churn(&state, (int)(test_random(&state) % 12));
		backtrace(frames, 8);
	}
	return NULL;
}

static void in_child(unsigned long number)
{
	uint64_t state = number;
	void *blocks[32];

	for (int i = 0; i < 10; i++)
		churn(&state, i);
	test_alloc_many(blocks, TEST_COUNT_OF(blocks), 40000);
	test_free_many(blocks, TEST_COUNT_OF(blocks));
}

int main(void)
{
	alarm(100 * test_slower());
	fork_often(run, FORKS, in_child);
	return 0;
}
