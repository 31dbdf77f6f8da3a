/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread is stopped, and called, three times while it waits in a system call: which ones notice?
 *
 * For each it is known whether its result is as without, or whether it may end with EINTR (as it
 * does for SIGSTOP and SIGCONT) or with a part of its bytes. The others must not.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/call.h"
#include "keeper/hand.h"
#include "keeper/stop.h"
#include "read/clock.h"
#include "test.h"
#include "waits.h"

#define MS UINT64_C(1000000)
#define STOPS 3
/* Nothing here takes so long. */
#define LONG_NS (60000 * MS)

struct waits_shared *waits_shared;

static struct ksr_image image;

static void wait_in_child(const struct wait *wait)
{
	uint64_t begin = ksr_clock_ns();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (offer_make(&waits_shared->offer))
		_exit(1);
	errno = 0;
	waits_shared->result = wait->wait();
	waits_shared->error = errno;
	waits_shared->elapsed_ns = ksr_clock_ns() - begin;
	/* The stops after one that ended the wait find it here. */
	while (!waits_shared->leave)
		usleep(200);
	_exit(0);
}

static int stop_and_call(void *data)
{
	(void)data;
	for (int i = 0; i < STOPS; i++) {
		struct ksr_request request = {.function = waits_shared->offer.functions[OFFERED_SCRIBBLE],
					      .arguments = {1, 2, 3}, .limit_ns = LONG_NS};
		struct ksr_stop stop;
		int64_t result = 0;
		int error = ksr_stop(&stop, &image, LONG_NS);

		if (!error)
			error = ksr_call(&stop, &waits_shared->offer.room, &request, &result);
		ksr_stop_end(&stop);
		if (error || result != 6)
			return error ? error : -EPROTO;
		usleep(2000);
	}
	return 0;
}

/* 1 where the wait noticed, 0 where not. */
static int try(const struct wait *wait)
{
	int status, error;
	pid_t child;

	waits_shared->ready = 0;
	waits_shared->stopped = 0;
	waits_shared->leave = 0;
	waits_shared->word = 0;
	child = fork();
	CHECK(child >= 0);
	if (child == 0)
		wait_in_child(wait);
	while (!waits_shared->ready && waitpid(child, &status, WNOHANG) == 0)
		usleep(200);
	CHECK(ksr_image_open(&image, child, 0) == 0);
	while (ksr_image_state(&image, child) == 'R')
		usleep(200);
	error = ksr_hand_run(stop_and_call, NULL);
	waits_shared->stopped = 1;
	waits_shared->leave = 1;
	CHECK_MSG(!error, "%s: a stop or call ended with %d", wait->name, error);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	ksr_image_close(&image);
	printf("%-34s%s\n", wait->name,
	       waits_shared->result == 0 ? "as without" : waits_shared->error == EINTR ? "EINTR" : "a part of its bytes");
	CHECK_MSG(wait->notices || waits_shared->result == 0, "%s: result %ld, errno %d", wait->name, waits_shared->result,
		  waits_shared->error);
	CHECK_MSG(waits_shared->result < 0 || waits_shared->elapsed_ns >= (WAIT_MS - 1) * MS, "%s ended early", wait->name);
	return waits_shared->result != 0;
}

int main(void)
{
	int noticed = 0;

#ifndef __x86_64__
	test_skip("calls are not made on this machine");
#endif
	waits_shared = mmap(NULL, sizeof(*waits_shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(waits_shared != MAP_FAILED);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; waits[i].name; i++)
		noticed += try(&waits[i]);
	/* Else they were not stopped in their waits at all. */
	CHECK(noticed >= 3);
	return 0;
}
