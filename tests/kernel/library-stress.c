/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that allocate, write, protect, free and fork while each of their sites is sampled all the
 * time, called settled when it is not, and merged: every byte stays what was written.
 */
#include "library.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define THREADS	4
#define SLOTS	40
#define ROUNDS	1000

struct held {
	char *block;
	size_t size;
	uint64_t seed;
};

static void replace(struct held *held, uint64_t *state)
{
	char label[32];

	CHECK(!held->block || test_matches(held->block, held->size, held->seed));
	free(held->block);
	held->size = 16 * TEST_KIB + test_random(state) % (240 * TEST_KIB);
	/* Few contents, so that much of it merges. */
	held->seed = test_random(state) % 4;
	snprintf(label, sizeof(label), "site %u", (unsigned int)(test_random(state) % 6));
	CHECK(ksmalloc_label_begin(label) == 0);
	held->block = malloc(held->size);
	ksmalloc_label_end();
	CHECK(held->block != NULL);
	test_fill(held->block, held->size, held->seed);
}

static void fork_one(struct held *held)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0) {
		uint64_t state = 5;

		for (int i = 0; i < SLOTS; i++)
			replace(&held[i], &state);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* Calls of which each may fail for good reasons; none may harm. */
static void call_something(struct held *held, uint64_t *state)
{
	switch (test_random(state) % 8) {
	case 0:
		ksmalloc_settled(held->block);
		break;
	case 1:
		ksmalloc_merge_now(held->block, KSMALLOC_MERGE_TRY);
		break;
	case 2:
		ksmalloc_merge_now(held->block, 0);
		break;
	case 3:
		if (test_random(state) % 20 == 0)
			ksmalloc_merge_now(NULL, KSMALLOC_MERGE_TRY);
		break;
	case 4:
		/* Whole pages only: a block of jemalloc's has neighbours. */
		if ((uintptr_t)held->block % TEST_PAGE)
			break;
		CHECK(mprotect(held->block, TEST_PAGE, PROT_NONE) == 0);
		sched_yield();
		CHECK(mprotect(held->block, TEST_PAGE, PROT_READ | PROT_WRITE) == 0);
		break;
	default:
		break;
	}
}

static void *work(void *argument)
{
	uint64_t state = (uint64_t)(uintptr_t)argument;
	struct held held[SLOTS] = { 0 };

	for (int round = 0; round < ROUNDS; round++) {
		struct held *one = &held[test_random(&state) % SLOTS];

		replace(one, &state);
		call_something(one, &state);
		if (test_random(&state) % 400 == 0)
			fork_one(held);
	}
	for (int i = 0; i < SLOTS; i++)
		replace(&held[i], &state);
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	const struct ksmalloc_process_stats *stats;

	need_hints();
	write_setting("pages_to_scan", "200");
	write_setting("run", "1");
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, work, (void *)(i + 1)) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	stats = &test_segment()->stats;
	CHECK_MSG(stats->samples_total > 20, "%llu samples", (unsigned long long)stats->samples_total);
	CHECK(stats->rehints_total > 0 && stats->merge_now_pages_total > 0);
	CHECK_MSG(stats->hint_failed_total == 0, "%llu hints failed, errno %llu",
		  (unsigned long long)stats->hint_failed_total, (unsigned long long)stats->hint_errno);
	/* What mprotect split has come together again. */
	CHECK_MSG(test_vma_count_flag("mg") < 20, "%zu advised mappings", test_vma_count_flag("mg"));
	return 0;
}
