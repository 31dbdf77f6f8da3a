/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Was: jemalloc makes an arena for a new thread. Where there was no memory for one, the thread's first call ended the
 * process by a fault.
 */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST (4 * TEST_MIB)
#define STEP (64 * TEST_KIB)

static pthread_barrier_t limited;

static void *first_call(void *data)
{
	void *block;

	pthread_barrier_wait(&limited);
	errno = 0;
	block = malloc(100);
	CHECK(block || errno == ENOMEM);
	free(block);
	return data;
}

static void start_with(size_t bytes)
{
	pthread_t thread;

	CHECK(pthread_barrier_init(&limited, NULL, 2) == 0);
	CHECK(pthread_create(&thread, NULL, first_call, NULL) == 0);
	test_limit_memory(bytes);
	pthread_barrier_wait(&limited);
	CHECK(pthread_join(thread, NULL) == 0);
	_exit(0);
}

int main(void)
{
	free(malloc(test_opaque(100)));
	for (size_t bytes = 0; bytes < MOST; bytes += STEP) {
		int status;
		pid_t child = fork();

		CHECK(child >= 0);
		if (child == 0)
			start_with(bytes);
		CHECK(waitpid(child, &status, 0) == child);
		CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "with %zu bytes the child ended with %x", bytes, status);
	}
	return 0;
}
