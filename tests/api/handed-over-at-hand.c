/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one thread frees, some hundred blocks, is at hand for the one that allocates. It gets a few of them at
 * once if it frees nothing itself, else one by one.
 */
#include "test.h"

#include <pthread.h>

#define BLOCKS 350
#define SIZE   (16 * TEST_KIB)
#define FEW    4

static void *blocks[BLOCKS];
static pthread_barrier_t barrier;

static TEST_NOINLINE void allocate(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		blocks[i] = malloc(SIZE);
		CHECK(blocks[i] != NULL);
		memset(blocks[i], 1, SIZE);
	}
}

static void *free_all(void *argument)
{
	pthread_barrier_wait(&barrier);
	for (size_t i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	pthread_barrier_wait(&barrier);
	/* A thread that ends gives back what it has. */
	pthread_barrier_wait(&barrier);
	return argument;
}

/* Runs that are at hand: of the thread that has made so many calls, or of all if that is 0. */
static size_t at_hand(uint64_t calls)
{
	const struct ksmalloc_segment_header *header = test_segment();
	const char *at = (const char *)header + header->tallies.offset;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < header->tallies.count; i++, at += header->tallies.stride) {
		const struct ksmalloc_segment_tally *tally = (const struct ksmalloc_segment_tally *)at;

		if (calls == 0 || tally->calls_total == calls)
			bytes += tally->cached_bytes;
	}
	return bytes / SIZE;
}

/* Blocks that are allocated, and how many runs this thread has at hand then. */
static const struct {
	size_t blocks;
	size_t left;
} steps[] = {
	{ BLOCKS, 0 },
	{ 1, FEW - 1 },
	{ FEW, 0 }, /* with the one that is freed before */
	{ 1, 0 },   /* since it has freed one */
	{ 1, FEW - 1 },
};

static TEST_NOINLINE void before(size_t step)
{
	if (step == 2)
		free(blocks[0]);
}

static TEST_NOINLINE void after(size_t step)
{
	static uint64_t calls;

	calls += steps[step].blocks;
	CHECK_MSG(at_hand(calls) == steps[step].left, "step %zu: %zu at hand", step, at_hand(calls));
	if (step > 0)
		return;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	/* A few of the first lay in a nursery. */
	CHECK_MSG(at_hand(0) > BLOCKS - 20, "%zu of %d are at hand", at_hand(0), BLOCKS);
}

int main(void)
{
	pthread_t thread;

	CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
	CHECK(pthread_create(&thread, NULL, free_all, NULL) == 0);
	/* One call, so that there is one site. */
	for (size_t i = test_opaque(0); i < sizeof(steps) / sizeof(steps[0]); i++) {
		before(i);
		allocate(steps[i].blocks);
		after(i);
	}
	pthread_barrier_wait(&barrier);
	CHECK(pthread_join(thread, NULL) == 0);
	return 0;
}
