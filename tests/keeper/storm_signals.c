/* SPDX-License-Identifier: BSD-2-Clause */
#include "storm.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define QUEUED (SIGRTMIN + 1)
#define MOST_PENDING 50

/* Written by one thread each. */
static volatile uint64_t plain_sent, plain_got;
static volatile uint64_t masked_sent, masked_got;
static volatile sig_atomic_t within; /* a wait that lets the masked signal in */
static volatile sig_atomic_t wrong_order, wrong_time, wrong_errno;
static volatile uint64_t receiver, suspended;
static volatile bool sender_done, suspended_done;
static pid_t queueing;

static void on_queued(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	if ((uint64_t)info->si_value.sival_int != (storm->queued_got & 0x7fffffff))
		wrong_order = 1;
	storm->queued_got++;
}

static void on_plain(int number)
{
	(void)number;
	plain_got++;
}

static void on_masked(int number)
{
	(void)number;
	if (!within)
		wrong_time = 1;
	masked_got++;
}

/* A process of its own, which goes on while the other one stands. */
static void queue(pid_t to)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!storm_ended()) {
		union sigval value = {.sival_int = (int)(storm->queued_sent & 0x7fffffff)};

		if (storm->queued_sent - storm->queued_got >= MOST_PENDING)
			sched_yield();
		else if (sigqueue(to, QUEUED, value) == 0)
			storm->queued_sent++;
		else
			_exit(1);
		for (volatile unsigned int spin = 0; spin < 500; spin++)
			;
	}
	storm->sender_done = 1;
	_exit(0);
}

void storm_signals_prepare(void)
{
	struct sigaction queued = {.sa_sigaction = on_queued, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigaction plain = {.sa_handler = on_plain, .sa_flags = SA_RESTART};
	struct sigaction masked = {.sa_handler = on_masked};
	sigset_t set;

	sigfillset(&queued.sa_mask);
	sigfillset(&plain.sa_mask);
	sigfillset(&masked.sa_mask);
	sigaction(QUEUED, &queued, NULL);
	sigaction(SIGUSR1, &plain, NULL);
	sigaction(SIGUSR2, &masked, NULL);
	sigemptyset(&set);
	sigaddset(&set, QUEUED);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	/* Inherited by all threads. */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	queueing = fork();
	if (queueing == 0)
		queue(getppid());
}

/* Each signal has a wait of its own: none may be lost, or this waits until the test's time is over. */
void storm_send(unsigned int number)
{
	const struct timespec pause = {.tv_nsec = 200000};

	while (!receiver || !suspended)
		nanosleep(&pause, NULL);
	while (!storm_ended()) {
		if (plain_got == plain_sent) {
			plain_sent++;
			pthread_kill((pthread_t)receiver, SIGUSR1);
		}
		if (masked_got == masked_sent) {
			masked_sent++;
			pthread_kill((pthread_t)suspended, SIGUSR2);
		}
		nanosleep(&pause, NULL);
		storm->rounds[number]++;
	}
	sender_done = true;
	for (; !suspended_done; nanosleep(&pause, NULL))
		pthread_kill((pthread_t)suspended, SIGUSR2);
}

void storm_receive(unsigned int number)
{
	sigset_t set;
	uint64_t i = 0;

	receiver = (uint64_t)pthread_self();
	sigemptyset(&set);
	sigaddset(&set, QUEUED);
	sigaddset(&set, SIGUSR1);
	while (!storm_ended()) {
		/* Received at once, and those that gathered, one after the other. */
		if (i++ % 64 == 0)
			pthread_sigmask(SIG_BLOCK, &set, NULL);
		errno = 4711;
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
		for (volatile unsigned int spin = 0; spin < 1000; spin++)
			;
		if (errno != 4711)
			wrong_errno = 1;
		storm->rounds[number]++;
	}
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	for (int tries = 0; tries < 5000; tries++) {
		if (sender_done && storm->sender_done && storm->queued_got == storm->queued_sent &&
		    plain_got == plain_sent)
			break;
		usleep(1000);
	}
}

static int wait_masked(unsigned int way, const sigset_t *set)
{
	switch (way % 3) {
	case 0:
		return sigsuspend(set);
	case 1:
		return ppoll(NULL, 0, NULL, set);
	default:
		return pselect(0, NULL, NULL, NULL, NULL, set);
	}
}

/* These waits end when a handler has run, never else. */
void storm_suspend(unsigned int number)
{
	sigset_t set;

	suspended = (uint64_t)pthread_self();
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	sigdelset(&set, SIGUSR2);
	for (unsigned int i = 0; !storm_ended(); i++) {
		uint64_t before = masked_got;
		int got;

		within = 1;
		got = wait_masked(i, &set);
		within = 0;
		if (got != -1 || errno != EINTR)
			storm_failed("wait %u with a mask: %d, errno %d", i % 3, got, errno);
		if (masked_got == before && !storm_ended())
			storm_failed("wait %u with a mask ended without a signal", i % 3);
		storm->rounds[number]++;
	}
	within = 1;
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	suspended_done = true;
}

void storm_signals_check(void)
{
	if (wrong_order)
		storm_failed("queued signals came in another order");
	if (wrong_time)
		storm_failed("a handler ran although its signal was blocked");
	if (wrong_errno)
		storm_failed("errno changed");
	if (waitpid(queueing, NULL, 0) != queueing)
		storm_failed("the sender of signals is no more");
	if (storm->queued_got != storm->queued_sent || plain_got != plain_sent)
		storm_failed("signals lost: %llu of %llu queued, %llu of %llu plain came",
			     (unsigned long long)storm->queued_got, (unsigned long long)storm->queued_sent,
			     (unsigned long long)plain_got, (unsigned long long)plain_sent);
}
