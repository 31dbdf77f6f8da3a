/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the programs with threads share: a meter, threads, drawn sizes, and
 * blocks that know whether they were overwritten.
 *
 * What it is not: a way to compare threads with processors. A program whose
 * figure is per processor says so itself (pairs-threads.c).
 *
 * Output: one line of pairs, "blocks N ns N cpu_ns N system_ns N faults N" and
 * what a program adds to it. All but blocks are per block: wall time, processor
 * time, its part in the kernel, minor page faults.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bench.h"

#include <pthread.h>
#include <sys/resource.h>

#define LOAD_MAX_THREADS 64u

struct load_meter {
	uint64_t begin_ns;
	struct rusage begin;
};

static inline void load_begin(struct load_meter *meter)
{
	getrusage(RUSAGE_SELF, &meter->begin);
	meter->begin_ns = bench_now_ns();
}

static inline double load_seconds(const struct timeval *end, const struct timeval *begin)
{
	return (double)(end->tv_sec - begin->tv_sec) +
	       (double)(end->tv_usec - begin->tv_usec) / 1e6;
}

/* Prints the pairs without the end of the line. The time ends with the call. */
static inline void load_print(const struct load_meter *meter, unsigned long blocks)
{
	double wall_ns = (double)(bench_now_ns() - meter->begin_ns);
	double user, system, count = (double)blocks;
	struct rusage end;

	getrusage(RUSAGE_SELF, &end);
	user = load_seconds(&end.ru_utime, &meter->begin.ru_utime);
	system = load_seconds(&end.ru_stime, &meter->begin.ru_stime);
	printf("blocks %lu ns %.2f cpu_ns %.2f system_ns %.2f faults %.4f", blocks, wall_ns / count,
	       (user + system) * 1e9 / count, system * 1e9 / count,
	       (double)(end.ru_minflt - meter->begin.ru_minflt) / count);
}

static inline void load_die(const char *message)
{
	fprintf(stderr, "%s\n", message);
	exit(1);
}

static inline void load_start(pthread_t *thread, void *(*body)(void *), void *argument)
{
	if (pthread_create(thread, NULL, body, argument))
		load_die("no thread");
}

/* Evenly distributed over the range. */
static inline size_t load_even_size(uint64_t *random_state, size_t min_size, size_t max_size)
{
	return min_size + (size_t)(bench_random(random_state) % (max_size - min_size + 1));
}

/* Each power of two of the range is as likely as the others: many small blocks, few large ones. */
static inline size_t load_mixed_size(uint64_t *random_state, size_t min_size, size_t max_size)
{
	uint64_t draw = bench_random(random_state);
	unsigned int doublings = 0;
	size_t low, size;

	while (min_size << (doublings + 1) <= max_size)
		doublings++;
	low = min_size << (draw % (doublings + 1));
	size = low + (size_t)((draw >> 32) % low);
	return size < max_size ? size : max_size;
}

/*
 * A block whose first and last word say where it lies: whoever frees it sees
 * whether another block was laid over it. The size is in the first words, so
 * that it is at least 4 of them.
 */
#define LOAD_MIN_BLOCK (4 * sizeof(size_t))

static inline size_t *load_mark(void *block, size_t size)
{
	size_t *words = block, last = size / sizeof(*words) - 1;

	words[0] = size;
	words[1] = (size_t)block;
	words[last] = ~(size_t)block;
	return words;
}

static inline void load_check(const void *block)
{
	const size_t *words = block;
	size_t last = words[0] / sizeof(*words) - 1;

	if (words[1] != (size_t)block || words[last] != ~(size_t)block)
		load_die("a block lost its content");
}

static inline size_t *load_alloc(size_t size)
{
	return load_mark(bench_alloc(size), size);
}

static inline void load_free(size_t *block)
{
	if (!block)
		return;
	load_check(block);
	free(block);
}

/* The threads of the command line, which has arguments, or a line of usage and the end. */
static inline unsigned int load_threads(int argc, char **argv, int arguments, const char *usage)
{
	unsigned long threads = bench_argument(argc, argv, 1, 0);

	if (argc != arguments + 1 || threads < 1 || threads > LOAD_MAX_THREADS) {
		fprintf(stderr, "usage: %s\n", usage);
		exit(1);
	}
	return (unsigned int)threads;
}

/* The sizes of the command line: MIN and MAX in bytes at argv[index] and after it. */
static inline void load_sizes(int argc, char **argv, int index, size_t *min_size, size_t *max_size)
{
	*min_size = bench_argument(argc, argv, index, 0);
	*max_size = bench_argument(argc, argv, index + 1, 0);
	if (*min_size < LOAD_MIN_BLOCK || *max_size < *min_size)
		load_die("sizes: 32 bytes at least, and the smallest first");
}

#endif
