/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs are handed out lowest address first: freed ones are taken again before new ones, in order. */
#include "test.h"

#define COUNT 64
#define SIZE  (32 * TEST_KIB)

int main(void)
{
	void *blocks[3 * COUNT];

	/* One loop, so that there is one site in both rounds. */
	for (size_t round = test_opaque(0); round < 2; round++) {
		test_alloc_many(blocks + round * COUNT, round ? 20 : 2 * COUNT, SIZE);
		if (round)
			break;
		/* The first 16 may lie elsewhere, since the site held too little then. */
		for (size_t i = 20; i < 2 * COUNT; i++)
			CHECK_MSG((char *)blocks[i] == (char *)blocks[i - 1] + SIZE, "block %zu", i);
		/* Holes, freed from the highest to the lowest. */
		for (size_t i = COUNT - 1; i >= 24; i -= 2) {
			blocks[2 * COUNT + i] = blocks[i];
			free(blocks[i]);
		}
	}
	/* 20 blocks came into 20 holes: 25, 27, ... from below. */
	for (size_t i = 0; i < 20; i++)
		CHECK_MSG(blocks[COUNT + i] == blocks[2 * COUNT + 25 + 2 * i], "block %zu went to %p, not %p", i,
			  blocks[COUNT + i], blocks[2 * COUNT + 25 + 2 * i]);
	return 0;
}
