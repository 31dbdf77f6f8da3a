/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture: what the call stack costs. malloc and free of 64 KiB below stacks of
 * 2 to 16 frames.
 *
 * Prints "KIND DEPTH NANOSECONDS" per pair:
 *   one     one site: the loop is in the innermost frame, so the stack is the same each time
 *   held    the same while the site holds 1 MiB: it is worth a slot of its own
 *   many    up to 64 stacks of one depth in turn, entered anew for each pair. The time of the
 *           same descent without malloc is taken off.
 *   many-held  the same while each of these stacks holds 512 KiB
 */
#include "bench.h"

#include <stdbool.h>

#define BLOCK_BYTES ((size_t)64 << 10)
#define PATHS 64u
#define BATCHES 9
#define PAIRS 20000ul
#define HELD_BLOCKS 16u
#define HELD_PER_PATH 8u

enum action {
	ACTION_PAIR, /* count pairs of malloc and free */
	ACTION_HOLD, /* count blocks that are kept in held[] */
	ACTION_NOTHING,
};

static void *held[PATHS * HELD_BLOCKS];
static size_t held_count;

/*
 * One function for all actions and one call of malloc in it: blocks that are
 * held must come from the very site whose cost is measured.
 */
static BENCH_NOINLINE void leaf(enum action action, unsigned long count)
{
	for (unsigned long i = 0; i < count && action != ACTION_NOTHING; i++) {
		char *block = bench_alloc(BLOCK_BYTES);

		bench_keep(block);
		if (action == ACTION_HOLD) {
			memset(block, 1, BLOCK_BYTES);
			held[held_count++] = block;
		} else {
			free(block);
		}
	}
}

/* Two call instructions per frame: path chooses, so that each path is another stack. */
static BENCH_NOINLINE void descend(unsigned int depth, unsigned int path, enum action action,
				   unsigned long count)
{
	if (depth <= 1) {
		leaf(action, count);
	} else if (path & 1) {
		BENCH_OWN_SITE(1);
		descend(depth - 1, path >> 1, action, count);
		BENCH_OWN_SITE(1);
	} else {
		BENCH_OWN_SITE(2);
		descend(depth - 1, path >> 1, action, count);
		BENCH_OWN_SITE(2);
	}
	bench_keep(&depth); /* Keeps this frame: a tail call would leave none. */
}

static void release_held(void)
{
	while (held_count)
		free(held[--held_count]);
}

static double measure_one(unsigned int depth)
{
	double best_ns = 1e18;

	for (int batch = 0; batch < BATCHES; batch++) {
		uint64_t begin = bench_now_ns();
		double pair_ns;

		descend(depth, 0, ACTION_PAIR, PAIRS);
		pair_ns = (double)(bench_now_ns() - begin) / (double)PAIRS;
		if (pair_ns < best_ns)
			best_ns = pair_ns;
	}
	return best_ns;
}

static double measure_paths(unsigned int depth, enum action action)
{
	double best_ns = 1e18;

	for (int batch = 0; batch < BATCHES; batch++) {
		uint64_t begin = bench_now_ns();
		double pair_ns;

		for (unsigned long i = 0; i < PAIRS; i++)
			descend(depth, (unsigned int)(i % PATHS), action, 1);
		pair_ns = (double)(bench_now_ns() - begin) / (double)PAIRS;
		if (pair_ns < best_ns)
			best_ns = pair_ns;
	}
	return best_ns;
}

static double measure_many(unsigned int depth)
{
	double empty_ns = measure_paths(depth, ACTION_NOTHING);

	return measure_paths(depth, ACTION_PAIR) - empty_ns;
}

int main(void)
{
	static const unsigned int depths[] = {2, 4, 6, 8, 10, 12, 14, 16};

	for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		unsigned int depth = depths[i];

		printf("one %u %.2f\n", depth, measure_one(depth));
		printf("many %u %.2f\n", depth, measure_many(depth));
		descend(depth, 0, ACTION_HOLD, HELD_BLOCKS);
		printf("held %u %.2f\n", depth, measure_one(depth));
		release_held();
		for (unsigned int path = 0; path < PATHS; path++)
			descend(depth, path, ACTION_HOLD, HELD_PER_PATH);
		printf("many-held %u %.2f\n", depth, measure_many(depth));
		release_held();
	}
	return 0;
}
