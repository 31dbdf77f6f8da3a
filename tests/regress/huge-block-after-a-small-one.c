/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block of 2^44 bytes and some more is not given as a freed one of the same number of pages, in 32 bits,
 * that is at hand where it is asked for.
 */
#include "test.h"

#define SIZE  (64 * TEST_KIB)
#define COUNT 16
#define TURNS 8

/* All from one line, so that there is one site; the last turn asks for too much. */
static void *take(size_t size, bool zeros)
{
	return zeros ? calloc(1, size) : malloc(size);
}

int main(void)
{
	static void *blocks[COUNT];

	for (size_t turn = test_opaque(0); turn < 2 * TURNS; turn++) {
		bool zeros = turn >= TURNS;
		size_t size = turn % TURNS == TURNS - 1 ? UINT64_C(3) << 44 | SIZE : SIZE;

		for (size_t i = test_opaque(0); i < COUNT; i++)
			blocks[i] = take(size, zeros);
		/* So much may be had where memory is promised freely; then it is as long as was asked for. */
		for (size_t i = 0; i < COUNT; i++)
			CHECK_MSG(!blocks[i] || malloc_usable_size(blocks[i]) >= size, "%zu bytes were asked for", size);
		test_free_many(blocks, COUNT);
	}
	return 0;
}
