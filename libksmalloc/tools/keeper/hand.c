/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "keeper/hand.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bounds how late a limit of time is seen: no wait of the hand has one of its own. */
#define TICK_MICROSECONDS 2000
#define TURN_NS 100000 /* the kernel's least */

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

/* As the kernel has it (sched_setattr(2)), of which libc knows nothing before 2.41. */
struct attributes {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime; /* of a turn */
	uint64_t deadline;
	uint64_t period;
};

/*
 * A process stands while the hand waits for a processor. Who runs for short turns only comes to them sooner, and gets no
 * more time for it. Kernels before 6.12 do not care, and other policies are left as they are.
 */
static void ask_for_short_turns(void)
{
	struct attributes attributes;

	if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) || attributes.policy != SCHED_OTHER)
		return;
	attributes.runtime = TURN_NS;
	syscall(SYS_sched_setattr, 0, &attributes, 0);
}

int ksr_hand_run(int (*work)(void *data), void *data)
{
	int status;
	pid_t hand = fork();

	if (hand < 0)
		return -errno;
	if (hand == 0) {
		int error = start_timer();

		ask_for_short_turns();
		if (!error)
			error = work(data);
		_exit(-error);
	}
	while (waitpid(hand, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECANCELED;
}
