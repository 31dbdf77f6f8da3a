/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arenas and forks: a child has its parent's arenas, as copies that it may change and give back; labels by id hold in it,
 * too. While other threads work on arenas of their own, children find all of them in order.
 */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define THREADS 4
#define FORKS	200

static atomic_bool stop;

static void work(unsigned int number, uint64_t *state)
{
	char name[32];
	size_t *arena;

	snprintf(name, sizeof(name), "thread %u", number);
	CHECK(ksmalloc_arena_reserve(name, 64 * TEST_MIB, 0, (void **)&arena) == 0);
	for (int i = 0; i < 20; i++) {
		size_t pages = 1 + test_random(state) % 512;

		CHECK(ksmalloc_arena_resize(arena, pages * TEST_PAGE) == 0);
		arena[pages * TEST_PAGE / sizeof(size_t) - 1] = pages;
		ksmalloc_arena_set_live(arena, pages);
	}
	CHECK(ksmalloc_arena_release(arena) == 0);
}

static void *run(void *argument)
{
	unsigned int number = *(unsigned int *)argument;
	uint64_t state = number;

	while (!atomic_load(&stop))
		work(number, &state);
	return NULL;
}

static void in_child(char *arena, int id, bool has_more)
{
	uint64_t state = 1;
	void *other;

	alarm(60 * test_slower());
	CHECK(arena[0] == 7);
	CHECK(ksmalloc_arena_resize(arena, 2 * TEST_MIB) == 0);
	CHECK(arena[2 * TEST_MIB - 1] == 0);
	arena[0] = 8;
	CHECK(ksmalloc_label_begin_id(id) == 0);
	ksmalloc_label_end();
	if (has_more) {
		work(99, &state);
		work(0, &state);
	}
	CHECK(ksmalloc_arena_release(arena) == 0);
	CHECK(ksmalloc_arena_reserve("inherited", TEST_MIB * 4, 0, &other) == 0);
	CHECK(other == arena);
	_exit(0);
}

static void fork_and_look(char *arena, int id, bool has_more)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0)
		in_child(arena, id, has_more);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(arena[0] == 7);
}

int main(void)
{
	pthread_t threads[THREADS];
	unsigned int numbers[THREADS];
	int id = ksmalloc_label_id("phase");
	char *arena;

	CHECK(ksmalloc_arena_reserve("inherited", TEST_MIB * 4, 0, (void **)&arena) == 0);
	CHECK(ksmalloc_arena_resize(arena, TEST_MIB) == 0);
	arena[0] = 7;
	fork_and_look(arena, id, true);
	for (unsigned int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		CHECK(pthread_create(&threads[i], NULL, run, &numbers[i]) == 0);
	}
	for (int i = 0; i < FORKS; i++)
		fork_and_look(arena, id, i % 4 == 0);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(test_stats_of(test_site_of(arena)).live_bytes == TEST_MIB);
	return 0;
}
