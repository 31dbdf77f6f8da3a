/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program may fill all that malloc_usable_size() grants, up to the page's end.
 * When such a run is used again, or the block is resized, the tail is zero all the same.
 */
#include "test.h"

#define COUNT 48
#define SIZE  (20 * TEST_KIB + 123)

int main(void)
{
	void *blocks[COUNT];

	for (int round = 0; round < 4; round++) {
		test_alloc_many(blocks, COUNT, SIZE);
		CHECK(test_is_placed(blocks[COUNT - 1]));
		for (size_t i = 0; i < COUNT; i++) {
			if (test_is_placed(blocks[i]))
				CHECK_MSG(test_tail_is_zero(blocks[i], SIZE), "round %d, block %zu", round, i);
			memset(blocks[i], 0xdd, malloc_usable_size(blocks[i]));
			/* The same number of pages: it is resized in place. */
			blocks[i] = realloc(blocks[i], SIZE + 7);
			CHECK(blocks[i] != NULL);
			if (test_is_placed(blocks[i]))
				CHECK_MSG(test_tail_is_zero(blocks[i], SIZE + 7), "round %d, realloc", round);
			memset(blocks[i], 0xdd, malloc_usable_size(blocks[i]));
		}
		test_free_many(blocks, COUNT);
	}
	return 0;
}
