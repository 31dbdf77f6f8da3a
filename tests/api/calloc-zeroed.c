/* SPDX-License-Identifier: BSD-2-Clause */
/* calloc gives zeros in every size, also in memory that other blocks have just filled. */
#include "test.h"

int main(void)
{
	static const size_t sizes[] = { 1, 16, 100, 4000, 16383, 16384, 16385, 65536, 300000,
					1 << 20, (1 << 20) + 1, 5 << 20 };

	for (int round = 0; round < 40; round++) {
		for (size_t i = 0; i < TEST_COUNT_OF(sizes); i++) {
			char *dirty = malloc(sizes[i]);

			CHECK(dirty != NULL);
			memset(dirty, 0xa5, sizes[i]);
			free(dirty);
			char *block = calloc(1, sizes[i]);

			CHECK(block != NULL);
			CHECK_MSG(test_is_zero(block, sizes[i]), "calloc(1, %zu) is not zero, round %d",
				  sizes[i], round);
			memset(block, 0x5a, sizes[i]);
			free(block);
		}
	}
	return 0;
}
