/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks below the threshold are never placed, however many, and have no sites but `other`, which is always there. */
#include "test.h"

#define COUNT 4000

int main(void)
{
	static void *blocks[COUNT];
	size_t advised = test_vma_count_flag("mg");

	test_alloc_many(blocks, COUNT, 16 * TEST_KIB - 1);
	for (size_t i = 0; i < COUNT; i += 100)
		CHECK(!test_is_placed(blocks[i]));
	CHECK(test_vma_count_flag("mg") == advised);
	CHECK(test_segment()->sites.count <= 1);
	/* One byte more, and the same loop's blocks are placed: the test can fail. */
	test_free_many(blocks, COUNT);
	test_alloc_many(blocks, 100, 16 * TEST_KIB);
	CHECK(test_is_placed(blocks[99]));
	CHECK(test_segment()->sites.count > 1);
	return 0;
}
