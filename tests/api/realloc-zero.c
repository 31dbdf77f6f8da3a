/* SPDX-License-Identifier: BSD-2-Clause */
/* realloc(NULL, n) is malloc(n); realloc(p, 0) frees p, as glibc's does. */
#include "test.h"

#define ROUNDS	20000
#define SIZE	(200 * TEST_KIB)

int main(void)
{
	char *block = realloc(NULL, 1000);

	CHECK(block != NULL);
	test_fill(block, 1000, 3);
	CHECK(test_matches(block, 1000, 3));
	CHECK(realloc(block, 0) == NULL);

	/* Were the blocks not freed, the loop would take 4 GiB: touched pages show it. */
	size_t before = test_rss_bytes();

	for (int i = 0; i < ROUNDS; i++) {
		block = malloc(SIZE);
		CHECK(block != NULL);
		block[0] = 1;
		CHECK(realloc(block, 0) == NULL);
	}
	CHECK(test_rss_bytes() < before + 32 * TEST_MIB);
	return 0;
}
