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

TEST_NOINLINE uint64_t test_current_site(void)
{
	void *blocks[64];
	const struct ksmalloc_segment_site *site;
	uint64_t id;

	test_alloc_many(blocks, 64, 64 * TEST_KIB);
	site = test_site_of(blocks[63]);
	id = site ? site->id : 0;
	test_free_many(blocks, 64);
	return id;
}
