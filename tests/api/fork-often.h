/* SPDX-License-Identifier: BSD-2-Clause */
/* Forks one child after another while threads are at work, and tells a child that hangs or ends badly. */
#ifndef KSM_TEST_FORK_OFTEN_H
#define KSM_TEST_FORK_OFTEN_H

#include "test.h"

#include <pthread.h>
#include <sys/wait.h>

#define FORK_THREADS 3

/* The threads end when it is set. */
static volatile bool stop;

/* Runs a child, which is killed after some time, so that a dead lock ends it, and with it the test. */
static inline void fork_once(unsigned long number, void (*in_child)(unsigned long number))
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0) {
		alarm(60 * test_slower());
		in_child(number);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %lu ended with %x", number, status);
}

/*
 * Starts threads, each with another number from 1 on as its argument, and ends them after that many forks; on a machine
 * that is emulated after fewer.
 */
static inline void fork_often(void *(*work)(void *), unsigned long forks, void (*in_child)(unsigned long number))
{
	pthread_t threads[FORK_THREADS];

	for (uintptr_t i = 0; i < FORK_THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, work, (void *)(i + 1)) == 0);
	for (unsigned long i = 0; i < forks / test_slower(); i++)
		fork_once(i, in_child);
	stop = true;
	for (int i = 0; i < FORK_THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

#endif
