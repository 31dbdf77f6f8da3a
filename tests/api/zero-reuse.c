/* SPDX-License-Identifier: BSD-2-Clause */
/* With KSMALLOC_ZERO_REUSE=1 a run that is used again holds no byte of the block before it. */
#include "test.h"

#define COUNT 64
#define SIZE  (50 * TEST_KIB)

int main(void)
{
	void *blocks[COUNT];

	for (int round = 0; round < 8; round++) {
		test_alloc_many(blocks, COUNT, SIZE);
		CHECK(test_is_placed(blocks[COUNT - 1]));
		for (size_t i = 0; i < COUNT; i++) {
			CHECK(!test_is_placed(blocks[i]) || test_is_zero(blocks[i], SIZE));
			memset(blocks[i], 0xc3, SIZE);
		}
		test_free_many(blocks, COUNT);
	}
	return 0;
}
