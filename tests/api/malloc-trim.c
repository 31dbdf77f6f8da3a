/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc_trim gives freed memory back: what remains resident is little, and live blocks stay. */
#include "test.h"

#define COUNT 1000
#define SIZE  (64 * TEST_KIB)

int main(void)
{
	static void *blocks[COUNT];
	size_t before = test_rss_bytes();
	void *kept;

	test_alloc_many(blocks, COUNT, SIZE);
	for (size_t i = 0; i < COUNT; i++)
		test_fill(blocks[i], SIZE, i);
	kept = blocks[COUNT / 2];
	blocks[COUNT / 2] = NULL;
	test_free_many(blocks, COUNT);
	malloc_trim(0);
	size_t after = test_rss_bytes();

	CHECK_MSG(after < before + 2 * TEST_MIB, "%zu KiB before, %zu KiB after 64 MiB were freed",
		  before / TEST_KIB, after / TEST_KIB);
	CHECK(test_matches(kept, SIZE, COUNT / 2));
	free(kept);
	return 0;
}
