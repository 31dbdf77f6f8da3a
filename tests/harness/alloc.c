/* SPDX-License-Identifier: BSD-2-Clause */
/* The allocating helpers, apart from test.c because they are also built on the prefixed calls. */
#include "test.h"

TEST_NOINLINE void test_alloc_many(void **blocks, size_t count, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		blocks[i] = malloc(size);
		CHECK(blocks[i] != NULL);
	}
}

TEST_NOINLINE void test_free_many(void **blocks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(blocks[i]);
}
