/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of small blocks that are freed. In the shared layout no clock decides: up to 4 MiB
 * in an arena, or a 32nd of what is in use, are kept for the next blocks, and more goes back to
 * the kernel at once.
 *
 * A block that is freed twice is noticed when its slab has been given back, before anything is allocated again.
 *
 * Usage: layout-freed return | reuse | twice
 */
#include "test.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

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

/* True if a child that frees the block ends by SIGABRT. */
static bool is_refused(char *block)
{
	struct rlimit no_core = { 0, 0 };
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		close(STDERR_FILENO);
		free(block);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static int check_twice(void)
{
	static const size_t sizes[] = { 48, 1000, 5000, 8192, 14000 };
	const size_t count = 4000;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t j = 0; j < count; j++)
			CHECK((blocks[j] = malloc(sizes[i])) != NULL);
		drop(count);
		/* The thread's cache has of the last ones only. */
		for (size_t j = 0; j < count / 2; j += 97)
			CHECK_MSG(is_refused(blocks[j]), "%zu bytes, block %zu", sizes[i], j);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (strcmp(what, "return") == 0)
		return check_return();
	if (strcmp(what, "reuse") == 0)
		return check_reuse();
	if (strcmp(what, "twice") == 0)
		return check_twice();
	fprintf(stderr, "usage: layout-freed return | reuse | twice\n");
	return 2;
}
