/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc_usable_size is at least the request, all of it is the program's, and 0 for NULL. */
#include "test.h"

int main(void)
{
	void *blocks[64];

	CHECK(malloc_usable_size(NULL) == 0);
	for (size_t size = 1; size < 3 * TEST_MIB; size += size / 3 + 1) {
		for (size_t i = 0; i < TEST_COUNT_OF(blocks); i += 7) {
			blocks[i] = malloc(size);
			CHECK(blocks[i] != NULL);
			size_t usable = malloc_usable_size(blocks[i]);

			CHECK_MSG(usable >= size, "%zu bytes usable of %zu", usable, size);
			/* Linux programs do write up to what this call says. */
			test_fill(blocks[i], usable, i);
		}
		for (size_t i = 0; i < TEST_COUNT_OF(blocks); i += 7) {
			CHECK(test_matches(blocks[i], malloc_usable_size(blocks[i]), i));
			free(blocks[i]);
		}
	}
	return 0;
}
