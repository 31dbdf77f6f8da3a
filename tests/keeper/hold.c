/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stops a process and calls functions of it, again and again, until it ends or the cycles are done;
 * then tells what it did, and how long it took.
 *
 * Usage: hold PID OFFER_FILE
 *        hold threads COUNT CYCLES
 *
 * The second form makes a process of its own, of which one thread runs and all others wait in a read,
 * and calls an empty function.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "keeper/call.h"
#include "keeper/hand.h"
#include "offer.h"
#include "keeper/stop.h"
#include "read/clock.h"
#include "test.h"

#define MS UINT64_C(1000000)
#define MOST_TIMES 100000
#define CYCLES_OF_A_HAND 200
#define PAUSE_US 500

enum phase { PHASE_STOP, PHASE_CALL, PHASE_END, PHASE_WHOLE, PHASE_COUNT };

static const char *const phase_names[] = {"all stand", "call", "go on", "whole"};

static struct shared {
	struct offer offer;
	uint32_t ready;
	uint64_t cycles, calls, not_now, late, most_threads, random;
	uint32_t times[PHASE_COUNT][MOST_TIMES]; /* ns */
} *shared;

static struct ksr_image image;
static uint64_t wanted_cycles;

static int call_any(struct ksr_stop *stop)
{
	bool scribbles = wanted_cycles == 0;
	struct ksr_request request = {
		.function = shared->offer.functions[scribbles ? OFFERED_SCRIBBLE : OFFERED_EMPTY],
		.arguments = {10, 20, 30},
		.limit_ns = 1000 * MS,
		.thread = scribbles ? stop->threads[test_random(&shared->random) % stop->count].tid : 0,
	};
	int64_t result = 0;
	int error = ksr_call(stop, &shared->offer.room, &request, &result);

	if (error == -EAGAIN) {
		shared->not_now++;
		return 0;
	}
	if (error)
		return error;
	shared->calls++;
	return result == (scribbles ? 60 : 7) ? 0 : -EPROTO;
}

static int cycle(void)
{
	uint64_t at[4];
	struct ksr_stop stop;
	uint64_t threads;
	int error;

	at[0] = ksr_clock_ns();
	error = ksr_stop(&stop, &image, 300 * MS);
	at[1] = ksr_clock_ns();
	if (error)
		return error;
	threads = ksr_stop_standing(&stop);
	if (threads > shared->most_threads)
		shared->most_threads = threads;
	error = call_any(&stop);
	at[2] = ksr_clock_ns();
	ksr_stop_end(&stop);
	at[3] = ksr_clock_ns();
	if (!error && shared->cycles < MOST_TIMES) {
		for (int i = 0; i < 3; i++)
			shared->times[i][shared->cycles] = (uint32_t)(at[i + 1] - at[i]);
		shared->times[PHASE_WHOLE][shared->cycles] = (uint32_t)(at[3] - at[0]);
		shared->cycles++;
	}
	return error;
}

static int cycles(void *data)
{
	(void)data;
	for (int i = 0; i < CYCLES_OF_A_HAND; i++) {
		int error = cycle();

		if (error)
			return error;
		if (wanted_cycles && shared->cycles >= wanted_cycles)
			break;
		usleep((useconds_t)(test_random(&shared->random) % (2 * PAUSE_US)));
	}
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a;
	uint32_t right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static void report(void)
{
	size_t count = shared->cycles;

	printf("threads %llu, cycles %zu, calls %llu, not now %llu, late %llu\n",
	       (unsigned long long)shared->most_threads, count, (unsigned long long)shared->calls,
	       (unsigned long long)shared->not_now, (unsigned long long)shared->late);
	for (int phase = 0; phase < PHASE_COUNT && count; phase++) {
		uint32_t *times = shared->times[phase];

		qsort(times, count, sizeof(*times), by_value);
		printf("%-10s median %7.1f us, p99 %7.1f us, max %7.1f us\n", phase_names[phase],
		       times[count / 2] / 1e3, times[count * 99 / 100] / 1e3, times[count - 1] / 1e3);
	}
}

static void *wait_for_ever(void *data)
{
	char byte;

	if (read(*(int *)data, &byte, 1) != 1)
		_exit(1);
	return NULL;
}

static pid_t make_process(unsigned int threads)
{
	volatile uint32_t *ready = &shared->ready;
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;
		int ends[2];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pipe(ends) || offer_make(&shared->offer))
			_exit(1);
		for (unsigned int i = 1; i < threads; i++)
			if (pthread_create(&thread, NULL, wait_for_ever, &ends[0]))
				_exit(1);
		usleep(20000);
		*ready = 1;
		for (;;)
			__asm__ volatile("" ::: "memory");
	}
	while (pid > 0 && !*ready)
		usleep(1000);
	return pid;
}

static pid_t read_arguments(int argc, char **argv)
{
	pid_t pid;
	int fd;

	if (argc == 4 && strcmp(argv[1], "threads") == 0) {
		wanted_cycles = strtoull(argv[3], NULL, 10);
		pid = make_process((unsigned int)atoi(argv[2]));
		CHECK(wanted_cycles && pid > 0);
		return pid;
	}
	CHECK(argc == 3);
	fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && read(fd, &shared->offer, sizeof(shared->offer)) == (ssize_t)sizeof(shared->offer));
	close(fd);
	return (pid_t)atoi(argv[1]);
}

int main(int argc, char **argv)
{
	int error = 0;
	pid_t pid;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	shared->random = 7;
	pid = read_arguments(argc, argv);
	CHECK(ksr_image_open(&image, pid, 0) == 0);
	while (!error && (!wanted_cycles || shared->cycles < wanted_cycles)) {
		error = ksr_hand_run(cycles, NULL);
		/* It may have been killed before it could say that it is late. */
		if (error == -ETIMEDOUT || error == -ECANCELED) {
			shared->late++;
			error = 0;
		}
	}
	report();
	fflush(stdout);
	if (wanted_cycles)
		kill(pid, SIGKILL);
	if (error == -ESRCH && !wanted_cycles)
		error = 0; /* it has ended */
	CHECK_MSG(!error, "a cycle ended with %d", error);
	return 0;
}
