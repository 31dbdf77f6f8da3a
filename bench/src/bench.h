/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the benchmark programs share: a clock, a barrier against the optimiser,
 * arguments, and a small random number generator.
 *
 * What it is not: a framework. Rounds, allocators and statistics are the
 * business of lib/harness.py; a program here measures one thing once and prints
 * "name value" lines.
 *
 * Failure: a program that cannot measure prints one line and exits with 1.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __clang__
#define BENCH_NOINLINE __attribute__((noinline))
#else
#define BENCH_NOINLINE __attribute__((noinline, noclone))
#endif

/*
 * Written before and after a call, keeps it apart from an equal call elsewhere:
 * compilers hoist and merge what is equal in two branches, and two sites would
 * become one.
 */
#define BENCH_OWN_SITE(number) __asm__ volatile("# site " #number : : : "memory")

static inline uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Makes the compiler believe that the block is read and written here. */
static inline void bench_keep(void *block)
{
	__asm__ volatile("" : : "r"(block) : "memory");
}

static inline void *bench_alloc(size_t size)
{
	void *block = malloc(size);

	if (!block) {
		fprintf(stderr, "malloc(%zu) failed\n", size);
		exit(1);
	}
	return block;
}

static inline unsigned long bench_argument(int argc, char **argv, int index, unsigned long fallback)
{
	char *end;
	unsigned long value;

	if (index >= argc)
		return fallback;
	errno = 0;
	value = strtoul(argv[index], &end, 10);
	if (errno || end == argv[index] || *end) {
		fprintf(stderr, "%s: not a number: %s\n", argv[0], argv[index]);
		exit(1);
	}
	return value;
}

/* xorshift64*: fast, and the same sequence in every run for the same seed, which must not be 0. */
static inline uint64_t bench_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

#endif
