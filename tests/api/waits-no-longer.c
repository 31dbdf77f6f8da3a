/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a burst of blocks leaves is kept for a moment, since it may be wanted again at once. When the program takes new
 * memory instead it goes back to the kernel, by whatever call comes next: a program that only allocates does not hold
 * what nobody wants.
 */
#include "test.h"

#include <pthread.h>

#define SIZE	   (64 * TEST_KIB)
#define BURST	   1000 /* 62 MiB */
#define ELSEWHERE  160 /* more than an eighth of that */
#define KEPT	   (8 * TEST_MIB) /* twice what is kept anyway */
#define LARGE	   (2 * TEST_MIB)
#define GROWN	   (14 * TEST_MIB)
#define OF_NURSERY 3 /* blocks of a site that is not placed yet */

static void *blocks[BURST];
static void *others[ELSEWHERE];

static uint64_t kept(void)
{
	const struct ksmalloc_segment_header *segment = test_segment();

	CHECK(segment != NULL);
	return segment->stats.kept_bytes;
}

static TEST_NOINLINE void *allocate(size_t size)
{
	void *block = malloc(size);

	CHECK(block != NULL);
	memset(block, 1, size);
	return block;
}

static TEST_NOINLINE void take_burst(void)
{
	for (size_t i = test_opaque(0); i < BURST; i++)
		blocks[i] = allocate(SIZE);
}

static void *free_all(void *argument)
{
	for (size_t i = 0; i < BURST; i++)
		free(blocks[i]);
	return argument;
}

/* By another thread, so that this one has at hand what it had. If the machine is too busy nothing is waited for. */
static TEST_NOINLINE void free_burst(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, free_all, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

/* A site's own slots. */
static TEST_NOINLINE void take_placed(void)
{
	for (size_t i = test_opaque(0); i < ELSEWHERE; i++)
		others[i] = allocate(SIZE);
}

/* Many sites of a few blocks each, which are not placed. */
static TEST_NOINLINE void take_of_nursery(void)
{
	char name[20];

	for (size_t i = 0; i < ELSEWHERE; i++) {
		snprintf(name, sizeof(name), "label %zu", i / OF_NURSERY);
		CHECK(ksmalloc_label_begin(name) == 0);
		others[i] = allocate(SIZE);
		ksmalloc_label_end();
		CHECK(!test_is_placed(others[i]));
	}
}

/* New memory by a call that does not look for it: the block need not move. */
static TEST_NOINLINE void grow(char *large)
{
	CHECK(realloc(large, GROWN) == large);
	memset(large, 1, GROWN);
}

/* One block again and again, which the thread has at hand then. */
static TEST_NOINLINE void use_at_hand(void)
{
	for (size_t i = test_opaque(0); i < 1000; i++)
		free(allocate(SIZE));
}

static TEST_NOINLINE void take_elsewhere(const char *how, char *large)
{
	if (strcmp(how, "placed") == 0)
		take_placed();
	else if (strcmp(how, "nursery") == 0)
		take_of_nursery();
	else
		grow(large);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	bool is_at_hand = strcmp(how, "at-hand") == 0;
	/* One that has moved has room to grow. */
	char *large = realloc(allocate(LARGE), 2 * LARGE);

	CHECK(large != NULL);
	/* One call, so that there is one site. */
	for (size_t round = test_opaque(0); round < 2; round++) {
		if (test_opaque(round) == 1) {
			take_burst();
			free_burst();
			take_elsewhere(how, large);
		}
		if (is_at_hand)
			use_at_hand();
	}
	CHECK_MSG(kept() <= KEPT, "%s: %zu KiB are kept", how, (size_t)kept() >> 10);
	return 0;
}
