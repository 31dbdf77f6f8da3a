/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker_threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static uint32_t turns, wrong_turns; /* Synchronization: atomic. */

/* Writes to a block of its own and reads it, some hundred times a second. */
static void *write_and_read(void *nothing)
{
	const size_t bytes = 20 * 4096;
	unsigned char *memory = malloc(bytes);

	for (unsigned char version = 0;; version++) {
		memset(memory, version, bytes);
		usleep(3000);
		if (memory[0] != version || memcmp(memory, memory + 1, bytes - 1) != 0)
			__atomic_add_fetch(&wrong_turns, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&turns, 1, __ATOMIC_RELAXED);
	}
	return nothing;
}

static void *sleep_for_ever(void *nothing)
{
	for (;;)
		pause();
	return nothing;
}

/* Threads that stay. 0, or 1 if they cannot be made. */
static long start_threads(long wanted)
{
	for (long i = 0; i < wanted; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, i % 2 ? sleep_for_ever : write_and_read, NULL))
			return 1;
	}
	return 0;
}

/* Another process that has this memory, and only sleeps. It ends with this one. */
static int sleep_in_it(void *nothing)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sleep_for_ever(nothing);
	return 0;
}

static long start_companion(void)
{
	static unsigned char stack[65536] __attribute__((aligned(16)));

	return clone(sleep_in_it, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL) < 0;
}

static bool is(const char *line, const char *command)
{
	return strncmp(line, command, strlen(command)) == 0;
}

bool worker_obey_of_threads(const char *line)
{
	if (is(line, "start"))
		printf("%ld\n", start_threads(atol(line + strlen("start"))));
	else if (is(line, "turns"))
		printf("%ld\n", wrong_turns ? -1 : (long)__atomic_exchange_n(&turns, 0, __ATOMIC_RELAXED));
	else if (is(line, "companion"))
		printf("%ld\n", start_companion());
	else
		return false;
	return true;
}
