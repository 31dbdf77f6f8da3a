/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `keeper-whole write COUNT`: a program without handlers of signals writes blocks, each by one call that has to wait many
 * times, while it is stopped and called without a pause. All calls move all of their bytes, and each byte arrives once.
 * `signal` and `cancel`: what is to end such a call still does.
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

#include "keeper/call.h"
#include "keeper/hand.h"
#include "keeper/rest.h"
#include "keeper/stop.h"
#include "offer.h"
#include "test.h"

#define MS	UINT64_C(1000000)
#define LONG_NS (60000 * MS)
#define BLOCK	(1 << 20)
#define PIECE	(64 * 1024 - 3)

static struct shared {
	struct offer offer;
	volatile int ready, over, go;
	volatile long stops, led, noticed;
	volatile long number; /* of the block that moved less, and what it moved */
	volatile long moved;
} *shared;

static unsigned char block[BLOCK];
static struct ksr_image image;
static int ends[2];
static long count;

static long by_write(void)
{
	return write(ends[1], block, BLOCK);
}

static void move_in_child(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(ends[0]);
	if (offer_make(&shared->offer))
		_exit(1);
	shared->ready = 1;
	for (long i = 0; i < count && !shared->moved; i++) {
		long moved = by_write();

		if (moved != BLOCK) {
			shared->number = i;
			shared->moved = moved ? moved : -1;
		}
	}
	shared->over = 1;
	_exit(0);
}

/* The other end: it reads what it expects. Odd pieces, so that no end of a piece is one of a page. */
static void attend(void)
{
	static unsigned char got[PIECE];

	close(ends[1]);
	for (long at = 0; at < count * BLOCK;) {
		size_t place = (size_t)at % BLOCK;
		size_t length = PIECE < BLOCK - place ? PIECE : BLOCK - place;
		ssize_t moved = read(ends[0], got, length);

		if (moved <= 0 || memcmp(got, block + place, (size_t)moved) != 0)
			_exit(shared->moved ? 0 : 3);
		at += moved;
	}
	_exit(0);
}

static int stop_once(void)
{
	const struct ksr_request request = {.function = shared->offer.functions[OFFERED_SCRIBBLE],
					    .arguments = {1, 2, 3}, .limit_ns = LONG_NS};
	struct ksr_stop stop;
	int64_t result = 0;
	int error = ksr_stop_begin(&stop, &image, LONG_NS);

	if (!error)
		error = ksr_call(&stop, &shared->offer.room, &request, &result);
	shared->led += (long)ksr_rest_lead(&stop, &shared->offer.room);
	ksr_stop_end(&stop);
	shared->stops++;
	return error;
}

static int stop_until_over(void *data)
{
	(void)data;
	while (!shared->over) {
		int error = stop_once();

		if (error && !shared->over)
			return error;
	}
	return 0;
}

static int is_moved_whole(void)
{
	int status, error;
	pid_t child, other;

	CHECK(pipe(ends) == 0);
	child = fork();
	if (child == 0)
		move_in_child();
	other = fork();
	if (other == 0)
		attend();
	close(ends[0]);
	close(ends[1]);
	while (!shared->ready)
		usleep(200);
	CHECK(ksr_image_open(&image, child, 0) == 0);
	error = ksr_hand_run(stop_until_over, NULL);
	CHECK_MSG(!error, "a stop or call ended with %d", error);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_MSG(!shared->moved, "block %ld moved %ld bytes", shared->number, shared->moved);
	CHECK(waitpid(other, &status, 0) == other);
	CHECK_MSG(status == 0, "the other end found other bytes (%d)", status);
	printf("%ld blocks, %ld stops, %ld calls went on\n", count, shared->stops, shared->led);
	CHECK(shared->led > 0);
	return 0;
}

/* --- what ends a call ------------------------------------------------------------------------ */

static void notice(int number)
{
	(void)number;
	shared->noticed++;
}

/* It is stopped in the midst, and then gets a signal, whose handler ends calls. */
static void wait_for_signal(void)
{
	struct sigaction action = {.sa_handler = notice};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGUSR1, &action, NULL);
	if (offer_make(&shared->offer))
		_exit(1);
	shared->ready = 1;
	shared->moved = by_write();
	_exit(0);
}

static void clean(void *data)
{
	(void)data;
	shared->noticed++;
}

static void *write_and_be_cancelled(void *data)
{
	pthread_cleanup_push(clean, data);
	shared->ready = 1;
	shared->moved = by_write();
	pthread_cleanup_pop(0);
	return NULL;
}

/* It is stopped in the midst, and then cancelled. */
static void wait_for_cancel(void)
{
	pthread_t thread;
	void *result;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (offer_make(&shared->offer) || pthread_create(&thread, NULL, write_and_be_cancelled, NULL))
		_exit(1);
	while (!shared->go)
		usleep(200);
	pthread_cancel(thread);
	_exit(pthread_join(thread, &result) != 0 || result != PTHREAD_CANCELED);
}

static int stop_some_times(void *data)
{
	(void)data;
	for (int i = 0; i < 5; i++) {
		int error = stop_once();

		if (error)
			return error;
		usleep(2000);
	}
	return 0;
}

static pid_t begin_to_wait(void (*child_waits)(void))
{
	pid_t child;

	CHECK(pipe(ends) == 0);
	child = fork();
	if (child == 0)
		child_waits();
	while (!shared->ready)
		usleep(200);
	usleep(50000);
	CHECK(ksr_image_open(&image, child, 0) == 0);
	CHECK(ksr_hand_run(stop_some_times, NULL) == 0);
	CHECK_MSG(shared->led > 0, "it was not in the midst");
	return child;
}

static int is_ended_by_signal(void)
{
	pid_t child = begin_to_wait(wait_for_signal);
	int status;

	CHECK(kill(child, SIGUSR1) == 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(shared->noticed == 1);
	CHECK_MSG(shared->moved == 64 * 1024, "%ld bytes", shared->moved);
	return 0;
}

static int is_cancelled(void)
{
	pid_t child = begin_to_wait(wait_for_cancel);
	int status;

	shared->go = 1;
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_MSG(status == 0, "it ended with %x", status);
	CHECK(shared->noticed == 1);
	return 0;
}

int main(int argc, char **argv)
{
#ifndef __x86_64__
	test_skip("calls are not made on this machine");
#endif
	CHECK(argc >= 2);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	count = argc > 2 ? atol(argv[2]) : 0;
	for (size_t i = 0; i < BLOCK; i++)
		block[i] = (unsigned char)((i * 2654435761u) >> 13);
	if (strcmp(argv[1], "signal") == 0)
		return is_ended_by_signal();
	if (strcmp(argv[1], "cancel") == 0)
		return is_cancelled();
	if (strcmp(argv[1], "write") == 0)
		return is_moved_whole();
	fprintf(stderr, "keeper-whole: unknown way '%s'\n", argv[1]);
	return 2;
}
