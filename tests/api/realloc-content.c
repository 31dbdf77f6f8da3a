/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * realloc keeps the bytes in every transition: small to placed and back, placed
 * to a larger or smaller run, in place or moved, up to sizes that are moved by
 * page tables instead of copied.
 */
#include "test.h"

#define COUNT 16

static void step(void **blocks, size_t from, size_t to, uint64_t seed)
{
	size_t common = from < to ? from : to;

	for (size_t i = 0; i < COUNT; i++) {
		test_fill(blocks[i], from, seed + i);
		void *resized = realloc(blocks[i], to);

		CHECK_MSG(resized != NULL, "realloc from %zu to %zu", from, to);
		CHECK_MSG(test_matches(resized, common, seed + i), "bytes lost from %zu to %zu", from, to);
		blocks[i] = resized;
	}
	/* A neighbour must not have been overwritten either. */
	for (size_t i = 0; i < COUNT; i++)
		CHECK_MSG(test_matches(blocks[i], common, seed + i), "neighbours from %zu to %zu", from, to);
}

int main(void)
{
	static const size_t sizes[] = { 10, 4000, 16383, 16384, 16385, 65536, 65537, 300000, 1 << 20,
					5 << 20, 17 << 20 };
	void *blocks[COUNT];

	for (size_t a = 0; a < TEST_COUNT_OF(sizes); a++) {
		for (size_t b = 0; b < TEST_COUNT_OF(sizes); b++) {
			for (size_t i = 0; i < COUNT; i++)
				blocks[i] = malloc(sizes[a]);
			step(blocks, sizes[a], sizes[b], a * 1000 + b);
			step(blocks, sizes[b], sizes[a], a * 2000 + b);
			for (size_t i = 0; i < COUNT; i++)
				free(blocks[i]);
		}
	}
	return 0;
}
