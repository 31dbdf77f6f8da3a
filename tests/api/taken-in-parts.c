/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many blocks that were freed lie in the pool. Who allocates as many again gets a part of them at a time, in the order of
 * their addresses. What is set aside for the next calls is at hand, in nobody's block, and the counts stay exact.
 */
#include "test.h"

#include <string.h>

#define COUNT 1000u
#define WHOLE (16 * TEST_PAGE)
#define SIZE  (WHOLE - 100) /* what lies behind it is zero */
#define PART  15u	    /* at hand after a call that found nothing there */

static void *blocks[COUNT];
static size_t most_at_hand;

static void check_counts(size_t live)
{
	const struct ksmalloc_segment_site *site = test_site_of(blocks[live - 1]);
	struct ksmalloc_site_stats stats = test_stats_of(site);
	size_t at_hand = (site->stats.placed_bytes - stats.placed_bytes) / WHOLE;

	CHECK_MSG(stats.live_bytes == live * SIZE, "%zu live, %zu bytes", live, (size_t)stats.live_bytes);
	/* A few of the first lie in a nursery. */
	CHECK_MSG(stats.placed_bytes % WHOLE == 0 && stats.placed_bytes / WHOLE <= live &&
		  stats.placed_bytes / WHOLE + 16 >= live, "%zu live, %zu placed", live, (size_t)stats.placed_bytes);
	if (at_hand > most_at_hand)
		most_at_hand = at_hand;
}

static void check_block(size_t i)
{
	const char *tail = (const char *)blocks[i] + SIZE;

	for (size_t k = 0; k < WHOLE - SIZE; k++)
		CHECK_MSG(tail[k] == 0, "block %zu: byte %zu of its tail is %d", i, k, tail[k]);
	memset(blocks[i], 7, malloc_usable_size(blocks[i]));
}

/* What the thread had at hand comes first, the newest before others. */
static void check_order(void)
{
	size_t behind = 0;

	for (size_t i = 100; i < COUNT; i++)
		behind += (char *)blocks[i] == (char *)blocks[i - 1] + WHOLE;
	CHECK_MSG(behind > COUNT - 100 - 10, "%zu blocks lie behind the one before", behind);
}

int main(void)
{
	for (size_t round = test_opaque(0); round < 3; round++) {
		for (size_t i = 0; i < COUNT; i++) {
			test_alloc_many(&blocks[i], 1, SIZE);
			check_block(i);
			if (i > 100 && i % 90 == 0) /* finding the segment takes its time */
				check_counts(i + 1);
		}
		check_order();
		for (size_t i = 0; i < COUNT; i++)
			free(blocks[i]);
	}
	CHECK_MSG(most_at_hand >= PART, "%zu blocks at most were at hand", most_at_hand);
	return 0;
}
