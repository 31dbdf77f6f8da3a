/* SPDX-License-Identifier: BSD-2-Clause */
/* C23's free_sized and free_aligned_sized release blocks of every size, and NULL. */
#include "test.h"

/* glibc 2.36 does not declare them yet. */
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);

int main(void)
{
	static const size_t sizes[] = { 1, 64, 4096, 16384, 100000, 1 << 20 };
	size_t before = 0;

	for (int round = 0; round < 3000; round++) {
		for (size_t i = 0; i < TEST_COUNT_OF(sizes); i++) {
			char *plain = malloc(sizes[i]), *zeroed = calloc(1, sizes[i]);
			char *aligned = aligned_alloc(4096, (sizes[i] + 4095) & ~(size_t)4095);

			CHECK(plain && zeroed && aligned);
			plain[0] = zeroed[0] = aligned[0] = 1;
			free_sized(plain, sizes[i]);
			free_sized(zeroed, sizes[i]);
			free_aligned_sized(aligned, 4096, (sizes[i] + 4095) & ~(size_t)4095);
		}
		if (round == 300)
			before = test_rss_bytes();
	}
	/* Nothing of it may have leaked: 2700 rounds would have touched more than 190 MiB. */
	CHECK(test_rss_bytes() < before + 16 * TEST_MIB);
	free_sized(NULL, 10);
	free_aligned_sized(NULL, 64, 10);
	return 0;
}
