/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the threads of a process have at hand is bounded, in all. In a child of it that has none of these threads it is
 * not they who use that up: what the child frees it has at hand.
 */
#include "test.h"

#include <pthread.h>
#include <sys/wait.h>

#define THREADS 8
#define BLOCKS 200
#define BYTES (80 * TEST_KIB)

static pthread_barrier_t barrier;

/* Each thread frees more than it may have at hand, and all of them more than they may have together. */
static void *use(void *ignored)
{
	void *blocks[BLOCKS];

	(void)ignored;
	test_alloc_many(blocks, BLOCKS, BYTES);
	pthread_barrier_wait(&barrier);
	test_free_many(blocks, BLOCKS);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

/* A thread of the child is the first of its process that uses large blocks. */
static void *use_in_child(void *ignored)
{
	struct ksmalloc_segment_site *site;
	void *blocks[BLOCKS];

	(void)ignored;
	test_alloc_many(blocks, BLOCKS, BYTES);
	site = (struct ksmalloc_segment_site *)(uintptr_t) test_site_of(blocks[BLOCKS - 1]);
	CHECK(site != NULL);
	test_free_many(blocks, BLOCKS);
	/* The harness adds what is at hand to what the site itself has kept. */
	return test_stats_of(site).kept_bytes - site->stats.kept_bytes >= TEST_MIB ? site : NULL;
}

static int child(void)
{
	pthread_t thread;
	void *result;

	CHECK(pthread_create(&thread, NULL, use_in_child, NULL) == 0);
	CHECK(pthread_join(thread, &result) == 0);
	return result ? 0 : 1;
}

int main(void)
{
	pthread_t threads[THREADS];
	pid_t pid;
	int status;

	CHECK(pthread_barrier_init(&barrier, NULL, THREADS + 1) == 0);
	for (size_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, use, NULL) == 0);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(child());
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child has nothing at hand");
	pthread_barrier_wait(&barrier);
	for (size_t i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	return 0;
}
