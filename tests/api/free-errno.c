/* SPDX-License-Identifier: BSD-2-Clause */
/* free keeps errno, also when it gives memory back to the kernel. */
#include "test.h"

int main(void)
{
	void *blocks[512];

	for (size_t size = 8; size <= 2 * TEST_MIB; size *= 4) {
		size_t count = size < TEST_MIB ? TEST_COUNT_OF(blocks) : 64;

		test_alloc_many(blocks, count, size);
		for (size_t i = 0; i < count; i++) {
			memset(blocks[i], 1, size < TEST_PAGE ? size : TEST_PAGE);
			errno = 4711;
			free(blocks[i]);
			CHECK_MSG(errno == 4711, "free of %zu bytes set errno to %d", size, errno);
		}
	}
	errno = 4711;
	free(NULL);
	CHECK(errno == 4711);
	return 0;
}
