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

int main(void)
{
	static const size_t counts[] = { 2 * COUNT, 20 };
	static void (*const checks[])(void) = { make_holes, check_holes };

	/* One loop, so that there is one site in both rounds. */
	for (size_t round = test_opaque(0); round < 2; round++) {
		test_alloc_many(blocks, counts[round], SIZE);
		checks[round]();
	}
	return 0;
}
