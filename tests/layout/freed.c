/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of small blocks that are freed. In the shared layout no clock decides: up to 4 MiB
 * in an arena, or a 32nd of what is in use, are kept for the next blocks, and more goes back to
 * the kernel at once.
 *
 * Usage: layout-freed return | reuse
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BLOCK 1000
#define LARGE (100 * 1000)
/* Some 2 MiB: less than what is kept. */
#define SMALL (2 * 1000)
#define ROUNDS 200
/* Kept memory, and what the thread's cache holds. */
#define KEPT_MAX (8 * TEST_MIB)

static char *blocks[LARGE];

static void fill(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		blocks[i] = malloc(BLOCK);
		CHECK(blocks[i]);
		memset(blocks[i], 1, BLOCK);
	}
}

static void drop(size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(blocks[i]);
}

/* 100 MB are filled and dropped: most of it is gone, without any time passing. */
static int check_return(void)
{
	size_t before = test_rss_bytes(), full, after;

	fill(LARGE);
	full = test_rss_bytes();
	drop(LARGE);
	after = test_rss_bytes();
	printf("resident: %zu KiB before, %zu full, %zu after\n", before / TEST_KIB, full / TEST_KIB,
	       after / TEST_KIB);
	CHECK(full > before + (size_t)LARGE * BLOCK);
	CHECK(after < before + KEPT_MAX);
	return 0;
}

static long faults(void)
{
	struct rusage usage;

	CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_minflt;
}

/* 2 MB are filled and dropped again and again: the kernel is not asked for them each time. */
static int check_reuse(void)
{
	long begin, pages = (long)SMALL * BLOCK / 4096;

	fill(SMALL);
	drop(SMALL);
	begin = faults();
	for (int i = 0; i < ROUNDS; i++) {
		fill(SMALL);
		drop(SMALL);
	}
	printf("%ld faults in %d rounds of %ld pages\n", faults() - begin, ROUNDS, pages);
	CHECK(faults() - begin < pages * ROUNDS / 20);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (strcmp(what, "return") == 0)
		return check_return();
	if (strcmp(what, "reuse") == 0)
		return check_reuse();
	fprintf(stderr, "usage: layout-freed return | reuse\n");
	return 2;
}
