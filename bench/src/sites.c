/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sites SITES DEPTH SIZE HELD WHERE ORDER: malloc and free of SIZE bytes from up to 64 call
 * stacks of DEPTH frames, one after the other.
 *
 * The frames are four functions that call each other. The stacks differ in three
 * of their frames: those next to malloc if WHERE is "inner", or those next to main ("outer").
 * ORDER is "turn", or "random". Each stack holds HELD blocks meanwhile. Prints "pairs NANOSECONDS
 * FAULTS": the best of several batches; the time of the same descents without malloc is taken off.
 */
#include "load.h"

#include <stdbool.h>

#define MAX_SITES 64u
#define MAX_DEPTH 64u
#define MAX_HELD 64u
#define DIGITS 3u /* Each chooses one of four functions: 64 stacks. */
#define BATCHES 60
#define PAIRS 4096u

enum action {
	ACTION_PAIR,
	ACTION_HOLD,
	ACTION_NOTHING,
};

typedef void frame_fn(unsigned int depth, unsigned int path, enum action action);

static size_t block_bytes;
static unsigned int first_digit; /* The depth below which the digits of the path decide. */
static char *held[MAX_SITES * MAX_HELD];
static size_t held_count;
static unsigned char order[PAIRS];

static BENCH_NOINLINE void leaf(enum action action)
{
	char *block;

	if (action == ACTION_NOTHING)
		return;
	block = bench_alloc(block_bytes);
	block[0] = 1;
	bench_keep(block);
	if (action == ACTION_HOLD)
		held[held_count++] = block;
	else
		free(block);
}

static frame_fn frame_0, frame_1, frame_2, frame_3;

/* The frame that calls the next one decides which it is, so its own code is what differs. */
static inline void descend(unsigned int depth, unsigned int path, enum action action)
{
	static frame_fn *const frames[] = {frame_0, frame_1, frame_2, frame_3};
	unsigned int digit = depth; /* Where the stacks do not differ, all use the same function. */

	if (depth <= first_digit && depth + DIGITS > first_digit) {
		digit = path;
		path >>= 2;
	}
	frames[digit % 4](depth - 1, path, action);
}

#define DEFINE_FRAME(number)                                                                       \
	static BENCH_NOINLINE void frame_##number(unsigned int depth, unsigned int path,           \
						  enum action action)                              \
	{                                                                                          \
		BENCH_OWN_SITE(number);                                                            \
		if (depth <= 1)                                                                    \
			leaf(action);                                                              \
		else                                                                               \
			descend(depth, path, action);                                              \
		BENCH_OWN_SITE(number);                                                            \
		bench_keep(&depth); /* Keeps this frame: a tail call would leave none. */          \
	}

DEFINE_FRAME(0)
DEFINE_FRAME(1)
DEFINE_FRAME(2)
DEFINE_FRAME(3)

static double run_batch(unsigned int depth, enum action action)
{
	uint64_t begin = bench_now_ns();

	for (unsigned int i = 0; i < PAIRS; i++)
		descend(depth, order[i], action);
	return (double)(bench_now_ns() - begin) / PAIRS;
}

static double smaller(double a, double b)
{
	return a < b ? a : b;
}

static void choose_order(unsigned int sites, bool random)
{
	uint64_t random_state = 88172645463325252u;

	for (unsigned int i = 0; i < PAIRS; i++)
		order[i] = (unsigned char)((random ? bench_random(&random_state) : i) % sites);
}

static void usage(void)
{
	load_die("usage: sites SITES DEPTH SIZE HELD inner|outer turn|random; "
		 "up to 64 sites, 4 to 64 frames, up to 64 blocks held");
}

int main(int argc, char **argv)
{
	unsigned int sites = (unsigned int)bench_argument(argc, argv, 1, 0);
	unsigned int depth = (unsigned int)bench_argument(argc, argv, 2, 0);
	unsigned int per_site = (unsigned int)bench_argument(argc, argv, 4, 0);
	double pair_ns = 1e18, empty_ns = 1e18;
	struct rusage before, after;

	block_bytes = bench_argument(argc, argv, 3, 0);
	if (argc != 7 || !block_bytes || !sites || sites > MAX_SITES || depth < DIGITS + 1 ||
	    depth > MAX_DEPTH || per_site > MAX_HELD)
		usage();
	first_digit = strcmp(argv[5], "outer") ? DIGITS + 1 : depth;
	choose_order(sites, !strcmp(argv[6], "random"));
	for (unsigned int site = 0; site < sites * per_site; site++)
		descend(depth, site % sites, ACTION_HOLD);
	run_batch(depth, ACTION_PAIR); /* Warms up. */
	getrusage(RUSAGE_SELF, &before);
	for (int batch = 0; batch < BATCHES; batch++) { /* In turn: both find the quiet moments. */
		empty_ns = smaller(empty_ns, run_batch(depth, ACTION_NOTHING));
		pair_ns = smaller(pair_ns, run_batch(depth, ACTION_PAIR));
	}
	getrusage(RUSAGE_SELF, &after);
	printf("pairs %.2f %.4f\n", pair_ns - empty_ns,
	       (double)(after.ru_minflt - before.ru_minflt) / (PAIRS * (double)BATCHES));
	while (held_count)
		free(held[--held_count]);
	return 0;
}
