/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program does with its heap, in an environment where system calls fail.
 *
 *   workload [--start RULE]... [--warm RULE]... [--may-fail | --retry]
 *
 * RULE (see seccomp.h) holds from the start of main or, with --warm, from the
 * moment when sites have slots. Content must be right in any case. Allocations
 * must succeed, except with --may-fail: then NULL with ENOMEM is an answer, and
 * with --retry, where a second try must succeed. A line on standard output says
 * how many blocks were placed, advised, and how many allocations failed.
 */
#include "seccomp.h"
#include "test.h"

#include <fcntl.h>
#include <sys/syscall.h>

#define SLOTS	96
#define ROUNDS	1200

struct block {
	char *data;
	size_t size;
};

static struct block blocks[SLOTS];
static bool may_fail, retry;
static size_t failed, tried;

/* The calls come from three lines, and so from three sites. */
static TEST_NOINLINE char *allocate(int how, char *old, size_t size)
{
	errno = 0;
	switch (how) {
	case 0:
		return malloc(size);
	case 1:
		return calloc(1, size);
	default:
		return realloc(old, size);
	}
}

static char *allocate_or_fail(int how, char *old, size_t size)
{
	char *data = allocate(how, old, size);

	tried++;
	if (data)
		return data;
	failed++;
	CHECK_MSG(errno == ENOMEM, "errno is %d", errno);
	CHECK_MSG(may_fail || retry, "an allocation of %zu bytes failed", size);
	if (!retry)
		return NULL;
	data = allocate(how, old, size);
	CHECK_MSG(data != NULL, "a second try of %zu bytes failed too", size);
	return data;
}

static size_t random_size(uint64_t *state)
{
	uint64_t kind = test_random(state) % 64;

	if (kind == 0)
		return 4 * TEST_MIB + test_random(state) % (3 * TEST_MIB);
	if (kind < 40)
		return 16 * TEST_KIB + test_random(state) % (200 * TEST_KIB);
	return 1 + test_random(state) % 4000;
}

static void step(struct block *block, uint64_t seed, uint64_t *state)
{
	size_t size = random_size(state);
	int how = (int)(test_random(state) % 3);

	if (block->data)
		CHECK_MSG(test_matches(block->data, block->size, seed), "%zu bytes changed", block->size);
	if (block->data && how < 2) {
		errno = 99;
		free(block->data);
		CHECK(errno == 99);
		block->data = NULL;
	}
	size_t common = block->data ? (size < block->size ? size : block->size) : 0;
	char *data = allocate_or_fail(how, block->data, size);

	if (!data) {
		/* A realloc that fails leaves the block as it was. */
		if (block->data)
			CHECK(test_matches(block->data, block->size, seed));
		return;
	}
	CHECK_MSG(test_matches(data, common, seed), "realloc lost bytes");
	CHECK_MSG(how != 1 || test_is_zero(data, size), "calloc of %zu bytes is not zero", size);
	block->data = data;
	block->size = size;
	test_fill(data, size, seed);
}

static void run(int rounds, uint64_t *state)
{
	for (int i = 0; i < rounds; i++) {
		size_t at = test_random(state) % SLOTS;

		step(&blocks[at], at, state);
	}
}

static void report(void)
{
	size_t placed = 0, advised = 0;

	for (size_t i = 0; i < SLOTS; i++) {
		if (!blocks[i].data)
			continue;
		CHECK(test_matches(blocks[i].data, blocks[i].size, i));
		placed += test_is_placed(blocks[i].data);
		advised += test_has_flag(blocks[i].data, "mg");
	}
	const struct ksmalloc_segment_header *header = test_segment();

	printf("placed %zu advised %zu failed %zu of %zu grow_failed %llu advise_failed %llu segment_failed %llu\n",
	       placed, advised, failed, tried, header ? (unsigned long long)header->stats.grow_failed_total : 0,
	       header ? (unsigned long long)header->stats.advise_failed_total : 0,
	       header ? (unsigned long long)header->stats.segment_failed_total : 0);
	for (size_t i = 0; i < SLOTS; i++)
		free(blocks[i].data);
}

int main(int argc, char **argv)
{
	uint64_t state = 11;
	const char *warm[8] = { NULL };
	size_t warm_count = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--may-fail") == 0)
			may_fail = true;
		else if (strcmp(argv[i], "--retry") == 0)
			retry = true;
		else if (strcmp(argv[i], "--start") == 0 && i + 1 < argc)
			deny_calls(argv[++i]);
		else if (strcmp(argv[i], "--warm") == 0 && i + 1 < argc && warm_count < 8)
			warm[warm_count++] = argv[++i];
		else
			test_fail(__FILE__, __LINE__, "unknown argument %s", argv[i]);
	}
	/* The mark from which on the tracer of nth.c counts calls. */
	syscall(SYS_close, -4711);
	if (warm_count) {
		run(ROUNDS / 4, &state);
		for (size_t i = 0; i < warm_count; i++)
			deny_calls(warm[i]);
	}
	run(ROUNDS, &state);
	syscall(SYS_close, -4712);
	report();
	return 0;
}
