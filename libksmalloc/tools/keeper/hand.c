/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "keeper/hand.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bounds how late a limit of time is seen: no wait of the hand has one of its own. */
#define TICK_MICROSECONDS 2000

static void tick(int number)
{
	(void)number;
}

/*
 * Waits for threads are ended by a timer that goes off again and again, so that it does not matter
 * that a moment lies between the look at the clock and the wait.
 */
static int start_timer(void)
{
	const struct itimerval every = {
		.it_interval = {.tv_usec = TICK_MICROSECONDS},
		.it_value = {.tv_usec = TICK_MICROSECONDS},
	};
	struct sigaction action = {.sa_handler = tick};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	if (sigaction(SIGALRM, &action, NULL) || sigprocmask(SIG_UNBLOCK, &set, NULL) ||
	    setitimer(ITIMER_REAL, &every, NULL))
		return -errno;
	/* Else a caller that ignores it has its children reaped before they are waited for. */
	signal(SIGCHLD, SIG_DFL);
	return 0;
}

int ksr_hand_run(int (*work)(void *data), void *data)
{
	int status;
	pid_t hand = fork();

	if (hand < 0)
		return -errno;
	if (hand == 0) {
		int error = start_timer();

		if (!error)
			error = work(data);
		_exit(-error);
	}
	while (waitpid(hand, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECANCELED;
}
