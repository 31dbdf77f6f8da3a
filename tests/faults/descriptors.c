/* SPDX-License-Identifier: BSD-2-Clause */
/* With three descriptors allowed and all taken, blocks are placed or not, but they are there. */
#include "test.h"

#define COUNT 128

int main(void)
{
	void *blocks[COUNT];

	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	for (size_t i = 0; i < COUNT; i++)
		test_fill(blocks[i], 64 * TEST_KIB, i);
	for (size_t i = 0; i < COUNT; i++) {
		CHECK(test_matches(blocks[i], 64 * TEST_KIB, i));
		free(blocks[i]);
	}
	return 0;
}
