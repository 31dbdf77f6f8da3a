/* SPDX-License-Identifier: BSD-2-Clause */
#include "idle.h"

#include "../symbols.h"
#include "unused.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>

#define EXPORT __attribute__((visibility("default")))

/* At most once in this time a worker gets its pages anew, which takes half a microsecond for each. */
#define IDLE_MS 1000

/* Python's, all or none. Synchronization: written before the first wait. */
static struct {
	void *(*state_of_thread)(void); /* NULL: the thread is none of Python's */
	int (*may_have_lock)(void);
	int (*take_lock)(void);
	void (*release_lock)(int state);
} python;

static const struct ksh_symbol symbols[] = {
	{ &python.state_of_thread, "PyGILState_GetThisThreadState" },
	{ &python.may_have_lock, "PyGILState_Check" },
	{ &python.take_lock, "PyGILState_Ensure" },
	{ &python.release_lock, "PyGILState_Release" },
};

static struct {
	int (*poll)(struct pollfd *fds, nfds_t count, int most);
	int (*epoll_wait)(int set, struct epoll_event *events, int room, int most);
	int (*select)(int count, fd_set *to_read, fd_set *to_write, fd_set *other, struct timeval *most);
} next;

static void (*give_back_pages)(void *pages, size_t bytes); /* NULL: nothing is looked at */
static pthread_t first_thread;
static bool is_pythons; /* the process is none that something else than Python has forked */

/* The first thread's. */
static int waited_ms; /* since something came */
static bool is_done;  /* since then */

static void find_next(void)
{
	next.poll = (__typeof__(next.poll))dlsym(RTLD_NEXT, "poll");
	next.epoll_wait = (__typeof__(next.epoll_wait))dlsym(RTLD_NEXT, "epoll_wait");
	next.select = (__typeof__(next.select))dlsym(RTLD_NEXT, "select");
}

/* Before all others: another library may wait while it is initialized. */
__attribute__((constructor(101))) static void start(void)
{
	find_next();
	first_thread = pthread_self();
}

/* In each child: Python's lock may be held by a thread that is not there. */
static void forked(void)
{
	is_pythons = false;
}

void ksp_idle_start(void *scope, void (*give_back)(void *pages, size_t bytes))
{
	if (!ksh_find_symbols(scope, symbols, KSM_COUNT_OF(symbols)) || pthread_atfork(NULL, NULL, forked) != 0)
		return;
	is_pythons = true;
	give_back_pages = give_back;
}

void ksp_idle_forked(void)
{
	is_pythons = true;
	waited_ms = 0;
	is_done = false;
}

/*
 * Is the caller Python itself, or a module of it? What these call holds no lock there that a thread with the interpreter's lock
 * may wait for. Other libraries do so, and would wait for that thread then.
 */
static bool may_wait_for_python(const void *caller)
{
	Dl_info its_file, pythons;

	if (!dladdr(caller, &its_file) || !its_file.dli_fname || !dladdr((void *)python.take_lock, &pythons))
		return false;
	return its_file.dli_fbase == pythons.dli_fbase || strstr(its_file.dli_fname, ".cpython-") ||
	       strstr(its_file.dli_fname, ".abi3.");
}

/* Nothing was there for a while. errno is that of the call. */
KSM_COLD static void give_back(const void *caller)
{
	int saved_errno = errno;
	int state;

	if (is_pythons && python.state_of_thread() && !python.may_have_lock() && may_wait_for_python(caller)) {
		state = python.take_lock();
		ksp_unused_give_back(give_back_pages);
		python.release_lock(state);
	}
	errno = saved_errno;
}

static bool is_looked_at(void)
{
	return give_back_pages && pthread_equal(pthread_self(), first_thread);
}

/* A call has waited for so many milliseconds, or something came before. */
static void note(int result, int milliseconds, const void *caller)
{
	if (result) {
		waited_ms = 0;
		is_done = false;
	} else if (!is_done) {
		waited_ms += milliseconds;
		is_done = waited_ms >= IDLE_MS;
		if (is_done)
			give_back(caller);
	}
}

/* How long a call is to wait first that may wait for so long; a negative number is for ever. */
static int first_part(int most)
{
	return !is_done && (most < 0 || most > IDLE_MS) ? IDLE_MS : most;
}

#define CALLER __builtin_return_address(0)

/* CALL is the call with the time `part`. A call without a result has changed nothing that another one could not read. */
#define WAIT(most, CALL)							\
	({									\
		int part = first_part(most);					\
		int result = CALL;						\
										\
		note(result, part, CALLER);					\
		if (result == 0 && part != (most)) {				\
			part = (most) < 0 ? (most) : (most) - part;		\
			result = CALL;						\
			note(result, 0, CALLER);				\
		}								\
		result;								\
	})

EXPORT int poll(struct pollfd *fds, nfds_t count, int most)
{
	if (!next.poll)
		find_next();
	if (!is_looked_at())
		return next.poll(fds, count, most);
	return WAIT(most, next.poll(fds, count, part));
}

EXPORT int epoll_wait(int set, struct epoll_event *events, int room, int most)
{
	if (!next.epoll_wait)
		find_next();
	if (!is_looked_at())
		return next.epoll_wait(set, events, room, most);
	return WAIT(most, next.epoll_wait(set, events, room, part));
}

static fd_set copy_of(const fd_set *set)
{
	fd_set none;

	FD_ZERO(&none);
	return set ? *set : none;
}

/* The first part of a wait takes the sets away: they are kept. time is what is left of it, as the kernel has it. */
static int select_in_parts(int count, fd_set *sets[3], struct timeval *time, const void *caller)
{
	fd_set kept[3] = { copy_of(sets[0]), copy_of(sets[1]), copy_of(sets[2]) };
	struct timeval part = { IDLE_MS / 1000, 0 };
	int result = next.select(count, sets[0], sets[1], sets[2], &part);

	if (time) {
		time->tv_sec -= IDLE_MS / 1000;
		timeradd(time, &part, time);
	}
	note(result, IDLE_MS, caller);
	if (result)
		return result;
	for (int i = 0; i < 3; i++) {
		if (sets[i])
			*sets[i] = kept[i];
	}
	result = next.select(count, sets[0], sets[1], sets[2], time);
	note(result, 0, caller);
	return result;
}

EXPORT int select(int count, fd_set *restrict to_read, fd_set *restrict to_write, fd_set *restrict other,
		  struct timeval *restrict most)
{
	fd_set *sets[3] = { to_read, to_write, other };
	int milliseconds;
	int result;

	if (!next.select)
		find_next();
	/* A set that is longer than libc's cannot be kept here. */
	if (!is_looked_at() || count > FD_SETSIZE)
		return next.select(count, to_read, to_write, other, most);
	if (!is_done && (!most || most->tv_sec > IDLE_MS / 1000))
		return select_in_parts(count, sets, most, CALLER);
	milliseconds = most ? (int)(ksm_min((uint64_t)most->tv_sec, 2) * 1000 + (uint64_t)most->tv_usec / 1000) : 0;
	result = next.select(count, to_read, to_write, other, most);
	note(result, milliseconds, CALLER);
	return result;
}
