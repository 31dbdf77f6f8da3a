/* SPDX-License-Identifier: BSD-2-Clause */
/* A freed block is taken again by the next call of its site, whichever of the family that is, and under a label. */
#include "test.h"

#include <malloc.h>

#define SIZE (64 * TEST_KIB)

static TEST_NOINLINE void *by_malloc(void)
{
	return malloc(SIZE);
}

static TEST_NOINLINE void *by_calloc(void)
{
	return calloc(1, SIZE);
}

static TEST_NOINLINE void *by_realloc(void)
{
	return realloc(NULL, SIZE);
}

static TEST_NOINLINE void *by_aligned_alloc(void)
{
	return aligned_alloc(TEST_PAGE, SIZE);
}

static TEST_NOINLINE void *by_memalign(void)
{
	void *block = NULL;

	CHECK(posix_memalign(&block, 64, SIZE) == 0);
	return block;
}

static void check(const char *name, void *(*take)(void))
{
	void *before = NULL;
	int again = 0;

	for (int i = 0; i < 100; i++) {
		void *block = take();

		CHECK(block != NULL);
		again += block == before;
		before = block;
		memset(block, 1, SIZE);
		free(block);
	}
	CHECK_MSG(again > 90, "%s took the same run %d times of 100", name, again);
}

int main(void)
{
	check("malloc", by_malloc);
	check("calloc", by_calloc);
	check("realloc", by_realloc);
	check("aligned_alloc", by_aligned_alloc);
	check("posix_memalign", by_memalign);
	CHECK(ksmalloc_label_begin("again") == 0);
	check("malloc under a label", by_malloc);
	ksmalloc_label_end();
	return 0;
}
