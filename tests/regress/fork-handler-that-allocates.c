/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fork handlers of others run outside of our locks: they may allocate and free blocks of any size, and wait
 * for a thread that does. They are registered before the first large block, in a constructor that comes
 * as early as a program's can, and once the library works.
 */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

static void *volatile sink;
static atomic_int asked, answered;
static atomic_bool ends;

static TEST_NOINLINE void allocate(void)
{
	static const size_t sizes[] = { 100, 20000, 65536, 300000, 3 << 20 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *block = malloc(sizes[i]);

		CHECK(block != NULL);
		block[0] = 1;
		block = realloc(block, 2 * sizes[i]);
		CHECK(block != NULL);
		sink = block;
		free(block);
	}
}

/* Allocates each time that it is asked to. */
static void *help(void *argument)
{
	while (!ends) {
		if (asked > answered) {
			allocate();
			answered++;
		}
		sched_yield();
	}
	return argument;
}

static void ask(void)
{
	int number = ++asked;

	allocate();
	while (answered < number)
		sched_yield();
}

static void allocate_in_child(void)
{
	allocate();
}

/* The thread exists from the first call on: without it nothing waits. */
static atomic_bool has_helper;

static void prepare(void)
{
	if (has_helper)
		ask();
	else
		allocate();
}

static void after(void)
{
	if (has_helper)
		ask();
}

__attribute__((constructor(101))) static void register_early(void)
{
	pthread_atfork(prepare, after, allocate_in_child);
}

static void fork_often(void)
{
	for (int i = 0; i < 30; i++) {
		pid_t child = fork();
		int status;

		CHECK(child >= 0);
		if (child == 0) {
			has_helper = false;
			allocate();
			_exit(0);
		}
		allocate();
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

int main(void)
{
	pthread_t helper;

	alarm(60 * test_slower());
	fork_often();
	CHECK(pthread_create(&helper, NULL, help, NULL) == 0);
	has_helper = true;
	fork_often();
	CHECK(pthread_atfork(prepare, after, allocate_in_child) == 0);
	fork_often();
	ends = true;
	CHECK(pthread_join(helper, NULL) == 0);
	return 0;
}
