/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs are handed out lowest address first: freed ones are taken again before new ones, in order. */
#include "test.h"

#define COUNT 64
#define SIZE  (32 * TEST_KIB)

static void *blocks[3 * COUNT];

/* Checks the first round, and makes 20 holes, freed from the highest to the lowest. */
static TEST_NOINLINE void make_holes(void)
{
	/* The first 16 may lie elsewhere, since the site held too little then. */
	for (size_t i = 20; i < 2 * COUNT; i++)
		CHECK_MSG((char *)blocks[i] == (char *)blocks[i - 1] + SIZE, "block %zu", i);
	for (size_t i = COUNT - 1; i >= 24; i -= 2) {
		blocks[2 * COUNT + i] = blocks[i];
		free(blocks[i]);
	}
}

/* 20 blocks came into 20 holes: 25, 27, ... from below. */
static TEST_NOINLINE void check_holes(void)
{
	for (size_t i = 0; i < 20; i++)
		CHECK_MSG(blocks[i] == blocks[2 * COUNT + 25 + 2 * i], "block %zu went to %p, not %p", i,
			  blocks[i], blocks[2 * COUNT + 25 + 2 * i]);
}

static const struct round {
	size_t count;
	void (*check)(void);
} rounds[] = { { 2 * COUNT, make_holes }, { 20, check_holes }, { 0, NULL } };

int main(void)
{
	/* One loop, of which the compiler cannot tell how often: else it may make two calls, and so two sites. */
	const struct round *round = (const struct round *)test_opaque((size_t)rounds);

	for (; round->count; round++) {
		test_alloc_many(blocks, round->count, SIZE);
		round->check();
	}
	return 0;
}
