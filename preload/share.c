/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libksmalloc-share.so: a library of its own, which `ksmalloc run --share` loads.
 *
 * Before a call of libc that may wait, the process has time to share pages with its group: a step of some
 * milliseconds, if a pass is due or under way (ksmalloc_share_step()). Where the call has nothing to do for as long as
 * the step took, and there are more steps to make, the next one is made. A process that has always something to do makes
 * one step in fifty times its length. Who waits for longer than until the next pass is woken for it, in calls that can be
 * begun again without a difference.
 * It is not a part of libksmalloc.so, since there the functions would be taken over in every program.
 *
 * All of these may be called from signal handlers, and most are cancellation points: beside the call itself and the step
 * nothing is done that allocates, locks or waits. errno is that of the call.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ksmalloc/ksmalloc.h"
#include "os/clock.h"

#define EXPORT __attribute__((visibility("default")))

#define STEP_US 1500
#define PAUSE_TIMES 50 /* as long as a step took, before the next one in a process that has something to do */
#define ON_AND_ON INT_MAX /* milliseconds: no step has to be made while the call waits */

/* Where the program has another ksmalloc, or none, there is nothing to share. */
extern __typeof__(ksmalloc_share_step) ksmalloc_share_step __attribute__((weak));

/* X(result, name, parameters, arguments, whether the call would wait now) */
#define READERS(X)											\
	X(ssize_t, read, (int fd, void *buffer, size_t room), (fd, buffer, room), would_wait(fd, 0))	\
	X(ssize_t, recv, (int fd, void *buffer, size_t room, int flags), (fd, buffer, room, flags),	\
	  would_wait(fd, flags))									\
	X(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags),		\
	  would_wait(fd, flags))									\
	X(ssize_t, recvfrom, (int fd, void *restrict buffer, size_t room, int flags,			\
	   struct sockaddr *restrict from, socklen_t *restrict length), (fd, buffer, room, flags, from, length), \
	  would_wait(fd, flags))									\
	X(int, ppoll, (struct pollfd *fds, nfds_t count, const struct timespec *most,			\
	   const sigset_t *mask), (fds, count, most, mask), true)					\
	X(int, pselect, (int count, fd_set *restrict to_read, fd_set *restrict to_write,		\
	   fd_set *restrict other, const struct timespec *restrict most, const sigset_t *restrict mask), \
	   (count, to_read, to_write, other, most, mask), true)

#define OTHERS(X)											\
	X(int, poll, (struct pollfd *fds, nfds_t count, int most), )					\
	X(int, epoll_wait, (int set, struct epoll_event *events, int room, int most), )		\
	X(int, epoll_pwait, (int set, struct epoll_event *events, int room, int most, const sigset_t *mask), ) \
	X(int, select, (int count, fd_set *restrict to_read, fd_set *restrict to_write,		\
	   fd_set *restrict other, struct timeval *restrict most), )					\
	X(int, accept, (int fd, struct sockaddr *restrict from, socklen_t *restrict length), )		\
	X(int, accept4, (int fd, struct sockaddr *restrict from, socklen_t *restrict length, int flags), ) \
	X(int, nanosleep, (const struct timespec *time, struct timespec *left), )			\
	X(int, clock_nanosleep, (clockid_t clock, int flags, const struct timespec *time, struct timespec *left), )

#define DECLARE(result, name, parameters, ...) result (*name) parameters;
#define FIND(result, name, parameters, ...)    next.name = (__typeof__(next.name))dlsym(RTLD_NEXT, #name);

static struct {
	READERS(DECLARE)
	OTHERS(DECLARE)
} next;

__attribute__((constructor(101))) static void find_next(void)
{
	READERS(FIND)
	OTHERS(FIND)
}

static int64_t ns_of(clockid_t clock)
{
	return (int64_t)ksm_clock_of(clock);
}

static int64_t now_ns(void)
{
	return ns_of(CLOCK_MONOTONIC);
}

/* The last step of a pass that is under way. Where threads come here at once, either of them is right. */
static struct {
	int64_t ended_ns; /* 0: there is none */
	int64_t took_ns;
} under_way;

#define GET(word)	 __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define SET(word, value) __atomic_store_n(&(word), value, __ATOMIC_RELAXED)

/* Makes a step. What ksmalloc_share_step() says. */
static long step_once(void)
{
	int saved_errno = errno;
	int64_t begun_ns = now_ns(), ended_ns;
	long later = ksmalloc_share_step ? ksmalloc_share_step(STEP_US) : -EOPNOTSUPP;

	if (later == 0) {
		ended_ns = now_ns();
		SET(under_way.took_ns, ended_ns - begun_ns);
		SET(under_way.ended_ns, ended_ns);
	} else if (GET(under_way.ended_ns)) {
		SET(under_way.ended_ns, 0);
	}
	errno = saved_errno;
	return later;
}

/* Of the milliseconds that a call waits before it counts as one that has nothing to do: as long as the last step took. */
static int idle_ms(void)
{
	int64_t took_ms = GET(under_way.took_ns) / 1000000;

	return took_ms < 1 ? 1 : took_ms > 10 ? 10 : (int)took_ms;
}

/* True if the process would stand for more than one part in PAUSE_TIMES, should it have something to do. */
static bool has_just_stepped(void)
{
	int64_t ended_ns = GET(under_way.ended_ns);

	return ended_ns && now_ns() - ended_ns < GET(under_way.took_ns) * PAUSE_TIMES;
}

/* The same as step_once(): how many milliseconds later there is another step, 0 for at once. */
static int step_now(void)
{
	long later = step_once();

	return later < 0 || later > INT_MAX ? ON_AND_ON : (int)later;
}

/* Makes a step in a process that is idle, or may not be. How many milliseconds later there is another one, if it is idle. */
static int step(bool is_idle)
{
	int later = is_idle || !has_just_stepped() ? step_now() : 0;

	return later ? later : idle_ms();
}

/*
 * A signal that comes while a step is made must still end the call that waits. So all are blocked from the first step
 * until the kernel waits, which lets them through by itself.
 */
static void block_signals(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

static void restore_signals(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

/*
 * Lets signals through that came meanwhile. True, with errno, if there was a handler for one of them. epoll_pwait(2)
 * by itself would be ended by those, too, that are ignored.
 */
static bool is_interrupted(const sigset_t *mask)
{
	const struct timespec now = { 0, 0 };

	return next.ppoll(NULL, 0, &now, mask) < 0 && errno == EINTR;
}

static struct timespec *time_of(int milliseconds, struct timespec *time)
{
	*time = (struct timespec){ milliseconds / 1000, milliseconds % 1000 * 1000000L };
	return milliseconds < 0 ? NULL : time;
}

/* --- calls that can be begun again ----------------------------------------------------------- */

/* What is left of most milliseconds, where a negative number is for ever. */
static int left_of(int most, int64_t begun_ns)
{
	int64_t left = most - (now_ns() - begun_ns) / 1000000;

	return most < 0 ? most : left > 0 ? (int)left : 0;
}

/*
 * Makes steps, and calls in between, for as long as each of them may take. CALL sees it as `part`, and is to let
 * signals through as `before` says.
 */
#define WAIT(most, CALL)								\
	({										\
		int64_t begun_ns = now_ns();						\
		bool is_idle = false;							\
		int left = most;							\
		int result;								\
		sigset_t before;							\
											\
		block_signals(&before);							\
		for (;;) {								\
			int later = step(is_idle);					\
			bool is_last = later == ON_AND_ON || (left >= 0 && left <= later); \
			int part = is_last ? left : later;				\
											\
			result = CALL;							\
			if (result != 0 || is_last)					\
				break;							\
			is_idle = true;							\
			left = left_of(most, begun_ns);					\
		}									\
		restore_signals(&before);						\
		result;									\
	})

EXPORT int poll(struct pollfd *fds, nfds_t count, int most)
{
	struct timespec time;

	if (!next.poll)
		find_next();
	if (most == 0)
		return next.poll(fds, count, 0);
	return WAIT(most, next.ppoll(fds, count, time_of(part, &time), &before));
}

EXPORT int epoll_wait(int set, struct epoll_event *events, int room, int most)
{
	if (!next.epoll_wait)
		find_next();
	if (most == 0)
		return next.epoll_wait(set, events, room, 0);
	return WAIT(most, is_interrupted(&before) ? -1 : next.epoll_pwait(set, events, room, part, &before));
}

EXPORT int epoll_pwait(int set, struct epoll_event *events, int room, int most, const sigset_t *mask)
{
	if (!next.epoll_pwait)
		find_next();
	if (most == 0)
		return next.epoll_pwait(set, events, room, 0, mask);
	return WAIT(most, is_interrupted(mask ? mask : &before) ? -1 :
		    next.epoll_pwait(set, events, room, part, mask ? mask : &before));
}

/* What select(2) is asked, and answers into. */
struct sets {
	fd_set *of_caller[3];
	fd_set copies[3];
	size_t bytes; /* of each that belong to the call: programs may have made no more */
};

static size_t bytes_of_sets(int count)
{
	return count > 0 ? ((size_t)count + NFDBITS - 1) / NFDBITS * sizeof(fd_mask) : 0;
}

static int select_part(int count, struct sets *sets, int part, const sigset_t *mask)
{
	struct timespec time;
	fd_set *asked[3];

	for (int i = 0; i < 3; i++) {
		asked[i] = sets->of_caller[i] ? &sets->copies[i] : NULL;
		if (asked[i])
			memcpy(&sets->copies[i], sets->of_caller[i], sets->bytes);
	}
	return next.pselect(count, asked[0], asked[1], asked[2], time_of(part, &time), mask);
}

/* Linux writes what is left of the time. */
static int select_again(int count, struct sets *sets, struct timeval *most)
{
	int64_t start_ns = now_ns();
	int64_t left_ns;
	int all = most ? (int)(most->tv_sec * 1000 + (most->tv_usec + 999) / 1000) : -1;
	int ready = WAIT(all, select_part(count, sets, part, &before));

	for (int i = 0; i < 3 && ready >= 0; i++) {
		if (sets->of_caller[i])
			memcpy(sets->of_caller[i], &sets->copies[i], sets->bytes);
	}
	if (most) {
		left_ns = (int64_t)most->tv_sec * 1000000000 + (int64_t)most->tv_usec * 1000 - (now_ns() - start_ns);
		left_ns = left_ns > 0 && ready != 0 ? left_ns : 0;
		*most = (struct timeval){ left_ns / 1000000000, left_ns % 1000000000 / 1000 };
	}
	return ready;
}

EXPORT int select(int count, fd_set *restrict to_read, fd_set *restrict to_write, fd_set *restrict other,
		  struct timeval *restrict most)
{
	struct sets sets = { .of_caller = { to_read, to_write, other }, .bytes = bytes_of_sets(count) };

	if (!next.select)
		find_next();
	/* Programs with more files than sets have room for bring longer ones. */
	if (count > FD_SETSIZE || (most && (most->tv_sec < 0 || most->tv_sec > INT_MAX / 2000 || most->tv_usec < 0 ||
					   most->tv_usec >= 1000000 || (most->tv_sec == 0 && most->tv_usec < 1000))))
		return next.select(count, to_read, to_write, other, most);
	return select_again(count, &sets, most);
}

/* --- sleeping -------------------------------------------------------------------------------- */

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

/* Makes steps until none is to be made at once, or there is no time for one. 0 or EINTR; milliseconds until the next one. */
static int step_until(clockid_t clock, int64_t end_ns, int *later)
{
	sigset_t before;
	int saved_errno = errno;
	int error = 0;

	block_signals(&before);
	do {
		bool has_time = !has_just_stepped() || end_ns - ns_of(clock) > GET(under_way.took_ns);

		*later = has_time ? step_now() : idle_ms();
		error = is_interrupted(&before) ? EINTR : 0;
	} while (!error && *later == 0 && ns_of(clock) < end_ns);
	restore_signals(&before);
	errno = saved_errno;
	return error;
}

/* Until a time of a clock. One that can be set is slept by in one piece, once there is no step to be made at once. */
static int sleep_until(clockid_t clock, const struct timespec *time, struct timespec *left)
{
	int64_t end = (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;

	for (;;) {
		struct timespec part;
		int later;
		int error = step_until(clock, end, &later);

		if (error)
			return error;
		if (clock != CLOCK_MONOTONIC || end - ns_of(clock) <= later * INT64_C(1000000))
			break;
		part = timespec_of(later * INT64_C(1000000));
		error = next.clock_nanosleep(CLOCK_MONOTONIC, 0, &part, NULL);
		if (error)
			return error;
	}
	return next.clock_nanosleep(clock, TIMER_ABSTIME, time, left);
}

/* Sleeps that long; 0 or EINTR, with what is left of it. */
static int sleep_ns(int64_t ns, int64_t *left)
{
	int64_t end = now_ns() + ns;
	struct timespec time = timespec_of(end);
	int error;

	if (!next.clock_nanosleep)
		find_next();
	error = sleep_until(CLOCK_MONOTONIC, &time, NULL);
	*left = end - now_ns();
	if (*left < 0)
		*left = 0;
	return error;
}

static bool is_time(const struct timespec *time)
{
	return time && time->tv_sec >= 0 && time->tv_sec < INT_MAX && time->tv_nsec >= 0 && time->tv_nsec < 1000000000;
}

static int sleep_for(const struct timespec *time, struct timespec *left)
{
	int64_t left_ns;
	int error = sleep_ns((int64_t)time->tv_sec * 1000000000 + time->tv_nsec, &left_ns);

	if (error && left)
		*left = timespec_of(left_ns);
	return error;
}

EXPORT int nanosleep(const struct timespec *time, struct timespec *left)
{
	int error;

	if (!next.nanosleep)
		find_next();
	if (!is_time(time))
		return next.nanosleep(time, left);
	error = sleep_for(time, left);
	if (error)
		errno = error;
	return error ? -1 : 0;
}

EXPORT int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
	if (flags == 0 && (clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME) && is_time(time))
		return sleep_for(time, left);
	if (!next.clock_nanosleep)
		find_next();
	if (flags == TIMER_ABSTIME && is_time(time))
		return sleep_until(clock, time, left);
	return next.clock_nanosleep(clock, flags, time, left);
}

/* libc's own calls nanosleep() past us. */
EXPORT unsigned int sleep(unsigned int seconds)
{
	int64_t left_ns;

	if (sleep_ns((int64_t)seconds * 1000000000, &left_ns) == 0)
		return 0;
	errno = EINTR;
	return (unsigned int)((left_ns + 500000000) / 1000000000);
}

EXPORT int usleep(useconds_t microseconds)
{
	int64_t left_ns;
	int error = sleep_ns((int64_t)microseconds * 1000, &left_ns);

	if (error)
		errno = error;
	return error ? -1 : 0;
}

/* --- calls that are made once ---------------------------------------------------------------- */

/*
 * These do not block signals, which most of them need not. A signal that would have ended the call, had it not come
 * while a step was made, ends it all the same, unless there is something to be had at once.
 */

/* True if nothing is there to be had, and the call is not one that says so at once. */
static bool would_wait(int fd, int flags)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };
	int saved_errno = errno;
	int mode = fcntl(fd, F_GETFL);
	bool waits;

	if (!next.poll)
		find_next();
	waits = mode >= 0 && !(mode & O_NONBLOCK) && !(flags & MSG_DONTWAIT) && next.poll(&one, 1, 0) == 0;
	errno = saved_errno;
	return waits;
}

/*
 * Many workers wait in accept(2) for one connection, and one of them is woken; polling would wake all of them each time. So
 * this one makes its steps while there is none, and then waits as it always does. Where it would not wait the program has
 * other things to do, which must not wait for the rest of a pass. False, with errno, if a signal ends the call.
 */
static bool step_until_ready(int fd)
{
	long later;

	if (!next.accept)
		find_next();
	if (has_just_stepped())
		return true;
	do {
		later = step_once();
	} while (later == 0 && would_wait(fd, 0));
	if (later != -EINTR || !would_wait(fd, 0))
		return true;
	errno = EINTR;
	return false;
}

EXPORT int accept(int fd, struct sockaddr *restrict from, socklen_t *restrict length)
{
	return step_until_ready(fd) ? next.accept(fd, from, length) : -1;
}

EXPORT int accept4(int fd, struct sockaddr *restrict from, socklen_t *restrict length, int flags)
{
	return step_until_ready(fd) ? next.accept4(fd, from, length, flags) : -1;
}

#define READER(result, name, parameters, arguments, waits)	\
	EXPORT result name parameters				\
	{							\
		if (!next.name)					\
			find_next();				\
		if (!has_just_stepped() && step_once() == -EINTR && (waits)) { \
			errno = EINTR;				\
			return -1;				\
		}						\
		return next.name arguments;			\
	}

READERS(READER)
