/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process of several threads is stopped without a pause while it starts itself anew again and again:
 * whoever calls execve ends all others, also those that stand, and takes the main thread's number.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/hand.h"
#include "keeper/stop.h"
#include "test.h"

#define LIMIT_NS UINT64_C(50000000)
#define TIMES 300
#define STOPS 20
#define MOST_ROUNDS 20

static struct ksr_image image;
static volatile uint64_t *stops;

/* A program of three threads, one of which starts it anew, until it has done so often enough. */
static void *start_again(void *data)
{
	char path[] = "/proc/self/exe", name[] = "--again", number[16];
	char *arguments[] = {path, name, number, NULL};
	char *environment[] = {NULL};
	int left = *(int *)data;

	if (left == 0)
		_exit(3);
	snprintf(number, sizeof(number), "%d", left - 1);
	execve(path, arguments, environment);
	perror("execve");
	_exit(1);
}

static void *spin(void *data)
{
	for (;;)
		__asm__ volatile("" ::: "memory");
	return data;
}

static int start_threads(int left)
{
	pthread_t threads[3];

	/* The third is not made any more where the second is at its execve already. */
	for (int i = 0; i < 3; i++) {
		int error = pthread_create(&threads[i], NULL, i == 1 ? start_again : spin, &left);

		CHECK_MSG(!error || i == 2, "thread %d: error %d", i, error);
	}
	pthread_join(threads[1], NULL);
	test_fail(__FILE__, __LINE__, "execve returned");
}

static int stop_often(void *data)
{
	(void)data;
	for (;;) {
		struct ksr_stop stop;
		int error = ksr_stop(&stop, &image, LIMIT_NS);

		ksr_stop_end(&stop);
		if (error)
			return error;
		++*stops;
		usleep((useconds_t)(*stops * 37 % 400));
	}
}

static void run_and_stop(void)
{
	int left = TIMES;
	int status, error;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		start_again(&left);
	}
	CHECK(ksr_image_open(&image, child, 0) == 0);
	/* A stop may come too late for one that is at its execve. */
	do
		error = ksr_hand_run(stop_often, NULL);
	while (error == -ECANCELED || error == -ETIMEDOUT);
	CHECK_MSG(error == -ESRCH, "a stop ended with %d", error);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 3, "the process ended with status 0x%x",
		  (unsigned int)status);
	ksr_image_close(&image);
}

int main(int argc, char **argv)
{
	int rounds = 0;

	if (argc > 2 && strcmp(argv[1], "--again") == 0)
		return start_threads(atoi(argv[2]));
	stops = mmap(NULL, sizeof(*stops), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(stops != MAP_FAILED);
	/* How many of them come in time depends on who else has the processors. */
	while (*stops < STOPS && rounds++ < MOST_ROUNDS)
		run_and_stop();
	printf("%llu stops in %d rounds\n", (unsigned long long)*stops, rounds);
	CHECK(*stops >= STOPS);
	return 0;
}
