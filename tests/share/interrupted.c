/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A step says that a signal has come meanwhile whose handler ends calls that wait, and nothing of others. A timer sends
 * signals all the time; steps are made until one has said so, and then, with SA_RESTART, until a pass is over.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "ksmalloc/ksmalloc.h"

#define BLOCKS	      1000
#define BLOCK_BYTES   30000
#define STEP_US	      2000
#define TIMER_US      200
#define PATIENCE_S    120
#define PAUSE_NS      1000000

static volatile sig_atomic_t handled;

static void note(int number)
{
	handled += number == SIGALRM;
}

/* Past the library, which would make a step in it. */
static void sleep_shortly(void)
{
	const struct timespec time = { 0, PAUSE_NS };

	syscall(SYS_nanosleep, &time, NULL);
}

static void catch(int flags)
{
	struct sigaction action = { .sa_handler = note, .sa_flags = flags };

	sigaction(SIGALRM, &action, NULL);
}

/* Steps until one has been interrupted, or until the end of a pass without one. */
static bool make_steps(bool interrupted)
{
	time_t end = time(NULL) + PATIENCE_S;
	int in_pass = 0;

	while (time(NULL) < end) {
		long later = ksmalloc_share_step(STEP_US);

		if (later == -EINTR || (later < 0 && later != -EWOULDBLOCK)) {
			printf("a step: %s\n", strerror((int)-later));
			return interrupted && later == -EINTR;
		}
		in_pass += later == 0;
		if (!interrupted && in_pass > 1 && later > 0)
			return true;
		if (later > 0)
			sleep_shortly();
	}
	printf("no pass, or no signal in it: %d steps\n", in_pass);
	return false;
}

int main(void)
{
	const struct itimerval timer = { { 0, TIMER_US }, { 0, TIMER_US } };
	bool right;

	for (int i = 0; i < BLOCKS; i++) {
		unsigned char *block = malloc(BLOCK_BYTES);

		if (!block)
			return 1;
		memset(block, i % 255 + 1, BLOCK_BYTES);
		block[0] = (unsigned char)(i >> 8);
	}
	catch(0);
	setitimer(ITIMER_REAL, &timer, NULL);
	right = make_steps(true);
	catch(SA_RESTART);
	right = make_steps(false) && right;
	if (handled == 0)
		puts("no signal was handled");
	return !(right && handled);
}
