/* SPDX-License-Identifier: BSD-2-Clause */
/* valloc and pvalloc give page-aligned blocks; pvalloc rounds the size up to whole pages. */
#include "test.h"

int main(void)
{
	for (size_t size = 1; size < 200000; size = size * 3 + 1) {
		char *block = valloc(size), *rounded = pvalloc(size);

		CHECK(block && rounded);
		CHECK((uintptr_t)block % TEST_PAGE == 0);
		CHECK((uintptr_t)rounded % TEST_PAGE == 0);
		CHECK(malloc_usable_size(rounded) >= ((size + TEST_PAGE - 1) & ~(TEST_PAGE - 1)));
		test_fill(block, size, 1);
		test_fill(rounded, size, 2);
		CHECK(test_matches(block, size, 1));
		free(block);
		free(rounded);
	}
	return 0;
}
