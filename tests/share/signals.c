/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that wait end by a signal that comes while a step is made before or in them. The steps are this program's: one of
 * them sends the signal.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#define WAITS_MS 10000
#define SHORT_MS 30

static int steps, sends_at;
static volatile sig_atomic_t handled;
static int set;

/* Taken for the library's. */
__attribute__((visibility("default"))) long ksmalloc_share_step(unsigned int microseconds);

long ksmalloc_share_step(unsigned int microseconds)
{
	if (steps++ == sends_at)
		kill(getpid(), SIGUSR1);
	return steps < 3 && microseconds ? 0 : 10;
}

static void note(int number)
{
	handled += number == SIGUSR1;
}

static int by_poll(int ms)
{
	return poll(NULL, 0, ms);
}

static int by_epoll_wait(int ms)
{
	struct epoll_event event;

	return epoll_wait(set, &event, 1, ms);
}

static int by_epoll_pwait(int ms)
{
	struct epoll_event event;

	return epoll_pwait(set, &event, 1, ms, NULL);
}

static int by_select(int ms)
{
	struct timeval time = { ms / 1000, ms % 1000 * 1000 };

	return select(0, NULL, NULL, NULL, &time);
}

static int by_nanosleep(int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	return nanosleep(&time, NULL);
}

static int by_absolute_time(int ms)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_sec += ms / 1000;
	time.tv_nsec += ms % 1000 * 1000000;
	time.tv_sec += time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	errno = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL);
	return errno ? -1 : 0;
}

static int by_usleep(int ms)
{
	return usleep((useconds_t)ms * 1000);
}

static const struct {
	const char *name;
	int (*wait)(int ms);
} calls[] = {
	{ "poll", by_poll },	       { "epoll_wait", by_epoll_wait },
	{ "epoll_pwait", by_epoll_pwait }, { "select", by_select },
	{ "nanosleep", by_nanosleep }, { "clock_nanosleep", by_absolute_time },
	{ "usleep", by_usleep },
};

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True if the call was as it should be, with the signal in its n-th step; interrupted: it should have ended by that. */
static bool is_right(size_t call, int n, bool interrupted)
{
	long begun = now_ms(), took;
	sigset_t mask;
	int result;

	handled = 0;
	steps = 0;
	sends_at = n;
	errno = 0;
	result = calls[call].wait(interrupted ? WAITS_MS : SHORT_MS);
	took = now_ms() - begun;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	if (steps > n && handled == interrupted && !sigismember(&mask, SIGTERM) &&
	    (interrupted ? result == -1 && errno == EINTR && took < WAITS_MS : result == 0 && took >= SHORT_MS))
		return true;
	printf("%s, step %d: %d, %s, %ld ms, handled %d times\n", calls[call].name, n, result, strerror(errno), took,
	       (int)handled);
	return false;
}

int main(void)
{
	struct sigaction action = { .sa_handler = note, .sa_flags = SA_RESTART };
	bool right = true;

	set = epoll_create1(EPOLL_CLOEXEC);
	sigaction(SIGUSR1, &action, NULL);
	for (size_t call = 0; call < sizeof(calls) / sizeof(*calls); call++) {
		for (int n = 0; n < 3; n++)
			right &= is_right(call, n, true);
	}
	/* What the program ignores ends no call. */
	signal(SIGUSR1, SIG_IGN);
	for (size_t call = 0; call < sizeof(calls) / sizeof(*calls); call++)
		right &= is_right(call, 1, false);
	return !right;
}
