/* SPDX-License-Identifier: BSD-2-Clause */
/* Labels that several threads open at once, as the first call of the process, are opened all. */
#include "test.h"

#include <pthread.h>
#include <sys/wait.h>

#define THREADS	  8
#define PROCESSES 20

static pthread_barrier_t barrier;

static void *open_label(void *argument)
{
	(void)argument;
	pthread_barrier_wait(&barrier);
	int error = ksmalloc_label_begin("first");

	CHECK_MSG(error == 0, "%s", strerror(-error));
	ksmalloc_label_end();
	return NULL;
}

int main(void)
{
	for (int i = 0; i < PROCESSES; i++) {
		pid_t child = fork();
		int status;

		CHECK(child >= 0);
		if (child == 0) {
			pthread_t threads[THREADS];

			CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
			for (int j = 0; j < THREADS; j++)
				CHECK(pthread_create(&threads[j], NULL, open_label, NULL) == 0);
			for (int j = 0; j < THREADS; j++)
				CHECK(pthread_join(threads[j], NULL) == 0);
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && status == 0);
	}
	return 0;
}
