/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "keeper/stop.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base.h"
#include "read/clock.h"

/* So much after the limit a hand that could not keep to it ends. */
#define WATCH_NS UINT64_C(20000000)
#define SEIZE_TRIES 3
#define EVENT_OF(status) ((status) >> 8)
#define SIGNAL_OF(status) ((status)&0x7f)

static long trace(int request, pid_t tid, void *data)
{
	return ptrace((enum __ptrace_request)request, tid, NULL, data) ? -errno : 0;
}

static struct ksr_thread *find(const struct ksr_stop *stop, pid_t tid)
{
	/* The latest first: those are waited for. */
	for (size_t i = stop->count; i-- > 0;)
		if (stop->threads[i].tid == tid)
			return &stop->threads[i];
	return NULL;
}

static struct ksr_thread *add(struct ksr_stop *stop, pid_t tid)
{
	if (stop->count == stop->capacity) {
		size_t capacity = stop->capacity ? 2 * stop->capacity : 64;
		struct ksr_thread *threads = reallocarray(stop->threads, capacity, sizeof(*threads));

		if (!threads)
			return NULL;
		stop->threads = threads;
		stop->capacity = capacity;
	}
	stop->threads[stop->count] = (struct ksr_thread){.tid = tid};
	return &stop->threads[stop->count++];
}

/* The kernel says EPERM for an ended thread, for one that is traced, and for one that may not be. */
static int refused(const struct ksr_stop *stop, pid_t tid)
{
	char state = ksr_image_state(stop->image, tid);
	struct ksr_image_status status;

	if (state == 'Z' || state == 'X' || ksr_image_status(stop->image, tid, &status))
		return -ESRCH;
	/* It was killed before an earlier stop could let it go, and has yet to end. */
	if (status.tracer == getpid())
		return -EALREADY;
	return status.tracer ? -EBUSY : -EPERM;
}

/* 1 where the thread will stand, or end and say so, 0 where it has ended. */
static int seize(struct ksr_stop *stop, struct ksr_thread *thread)
{
	long error = -EPERM;

	/* What was wrong with one that is ending may be over when it is looked at. */
	for (int tries = 0; tries < SEIZE_TRIES && error == -EPERM; tries++) {
		error = trace(PTRACE_SEIZE, thread->tid, NULL);
		if (error == -EPERM)
			error = refused(stop, thread->tid);
	}
	if (error == -ESRCH)
		return 0;
	if (error && error != -EALREADY)
		return (int)error;
	thread->seized = true;
	trace(PTRACE_INTERRUPT, thread->tid, NULL);
	return 1;
}

/* The number of threads that did not stand and will, or -errno. */
static int seize_new(struct ksr_stop *stop)
{
	char path[64];
	struct dirent *entry;
	DIR *folder;
	int found = 0;
	int error = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)stop->image->pid);
	folder = opendir(path);
	if (!folder)
		return errno == ENOENT ? -ESRCH : -errno;
	while (error >= 0 && (entry = readdir(folder))) {
		pid_t tid = (pid_t)atoi(entry->d_name);
		struct ksr_thread *thread = tid ? find(stop, tid) : NULL;

		/* An ended one may be there still, or its number belongs to a new one already. */
		if (!tid || (thread && thread->seized))
			continue;
		if (!thread)
			thread = add(stop, tid);
		error = thread ? seize(stop, thread) : -ENOMEM;
		found += error > 0;
	}
	closedir(folder);
	return error < 0 ? error : found;
}

/* A thread that ended is taken note of in the process table; else its traces would stay there. */
static void bury(struct ksr_thread *thread)
{
	siginfo_t info;

	waitid(P_PID, (id_t)thread->tid, &info, WEXITED | WNOHANG | __WALL);
	thread->seized = false;
	thread->stands = false;
}

void ksr_stop_take(struct ksr_thread *thread)
{
	siginfo_t info;

	waitid(P_PID, (id_t)thread->tid, &info, WSTOPPED | WNOHANG | __WALL);
}

static void take_note(struct ksr_thread *thread, int status)
{
	ksr_stop_take(thread);
	thread->group_stop = SIGNAL_OF(status) == SIGTRAP ? 0 : SIGNAL_OF(status);
}

int ksr_stop_wait(struct ksr_stop *stop, struct ksr_thread **thread, enum ksr_news *news, int *number)
{
	siginfo_t info = {.si_pid = 0};

	if (ksr_clock_ns() >= stop->deadline)
		return -ETIMEDOUT;
	/* The hand's timer ends it now and then. */
	if (waitid(P_ALL, 0, &info, WSTOPPED | WEXITED | WNOWAIT | __WALL))
		return errno == EINTR ? -EAGAIN : errno == ECHILD ? -ESRCH : -errno;
	*thread = find(stop, info.si_pid);
	if (!*thread) {
		/* Killed before an earlier stop could let it go. */
		bury(&(struct ksr_thread){.tid = info.si_pid});
		return -EAGAIN;
	}
	*number = 0;
	if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) {
		*news = KSR_NEWS_ENDED;
		bury(*thread);
		return 0;
	}
	(*thread)->stands = true;
	if (EVENT_OF(info.si_status) == PTRACE_EVENT_STOP) {
		*news = KSR_NEWS_STANDS;
		take_note(*thread, info.si_status);
		return 0;
	}
	*news = KSR_NEWS_SIGNAL;
	*number = SIGNAL_OF(info.si_status);
	return 0;
}

int ksr_stop_continue(struct ksr_thread *thread, int number)
{
	thread->stands = false;
	return (int)trace(PTRACE_CONT, thread->tid, (void *)(intptr_t)number);
}

/*
 * A thread with a signal at hand is made to go as far as the handler's first instruction, where it
 * stands. The request to stand is made again, since every stop ends it.
 */
static void deliver(struct ksr_thread *thread, int number)
{
	trace(PTRACE_INTERRUPT, thread->tid, NULL);
	ksr_stop_continue(thread, number);
}

/* The number of threads that have not come to a stop. */
static size_t running(const struct ksr_stop *stop)
{
	size_t count = 0;

	for (size_t i = 0; i < stop->count; i++)
		count += stop->threads[i].seized && !stop->threads[i].stands;
	return count;
}

/*
 * Some ends are not told of: that of a main thread before the others', and that of a thread that
 * calls execve, which goes on under the main thread's number, and may be no tracee at all.
 */
static void look_for_lost(struct ksr_stop *stop)
{
	for (size_t i = 0; i < stop->count; i++) {
		struct ksr_thread *thread = &stop->threads[i];
		char state;

		if (!thread->seized || thread->stands)
			continue;
		state = ksr_image_state(stop->image, thread->tid);
		if (trace(PTRACE_INTERRUPT, thread->tid, NULL) || state == 'Z' || state == 'X' || state == '?')
			bury(thread);
	}
}

static int wait_for_all(struct ksr_stop *stop)
{
	for (size_t left = running(stop); left > 0;) {
		struct ksr_thread *thread;
		enum ksr_news news;
		int number;
		int error = ksr_stop_wait(stop, &thread, &news, &number);

		if (error == -EAGAIN || error == -ESRCH)
			look_for_lost(stop);
		else if (error)
			return error;
		else if (news == KSR_NEWS_SIGNAL)
			deliver(thread, number);
		left = running(stop);
	}
	return 0;
}

/*
 * A thread that stood may have been killed since, and an execve gives the main thread's number to
 * the one that called it. 1 where all stand, 0 where another look is needed.
 */
static int still_standing(struct ksr_stop *stop)
{
	int all = 1;

	for (size_t i = 0; i < stop->count; i++) {
		struct ksr_thread *thread = &stop->threads[i];
		siginfo_t info;

		if (!thread->seized || !trace(PTRACE_GETSIGINFO, thread->tid, &info))
			continue;
		all = 0;
		thread->stands = false;
		/* Nobody answers to that number any more, or one that has still to be stopped. */
		if (trace(PTRACE_INTERRUPT, thread->tid, NULL))
			bury(thread);
	}
	return all;
}

size_t ksr_stop_standing(const struct ksr_stop *stop)
{
	size_t count = 0;

	for (size_t i = 0; i < stop->count; i++)
		count += stop->threads[i].stands;
	return count;
}

static int stop_all(struct ksr_stop *stop)
{
	for (;;) {
		int found = seize_new(stop);
		int error = found < 0 ? found : wait_for_all(stop);

		if (error)
			return error;
		/* Only who runs makes threads: where none is new and all stand, there are no others. */
		if (still_standing(stop) && !found)
			break;
		if (ksr_clock_ns() >= stop->deadline)
			return -ETIMEDOUT;
	}
	/* The pid was the image's before and after, and what we hold kept it. */
	return ksr_stop_standing(stop) ? ksr_image_alive(stop->image) : -ESRCH;
}

/*
 * A thread that calls execve waits until all others have ended, and, where they were traced, until
 * their tracer has waited for them. PTRACE_SEIZE waits for that execve, and neither the limit nor a
 * signal ends it, but for SIGKILL: then the execve goes on. And a hand that is stopped itself, by
 * SIGSTOP or ^Z, sees no limit at all, while all that it holds stands.
 */
static int begin_watch(struct ksr_stop *stop)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};

	if (timer_create(CLOCK_MONOTONIC, &event, &stop->watch))
		return -errno;
	stop->watched = true;
	return 0;
}

void ksr_stop_limit(struct ksr_stop *stop, uint64_t limit_ns)
{
	uint64_t watch_ns = limit_ns + WATCH_NS;
	const struct itimerspec once = {
		.it_value = ksr_clock_time(watch_ns),
	};

	stop->deadline = ksr_clock_ns() + limit_ns;
	timer_settime(stop->watch, 0, &once, NULL);
}

int ksr_stop_begin(struct ksr_stop *stop, const struct ksr_image *image, uint64_t limit_ns)
{
	int error;

	*stop = (struct ksr_stop){.image = image};
	error = begin_watch(stop);
	if (error)
		return error;
	ksr_stop_limit(stop, limit_ns);
	return stop_all(stop);
}

int ksr_stop(struct ksr_stop *stop, const struct ksr_image *image, uint64_t limit_ns)
{
	int error = ksr_stop_begin(stop, image, limit_ns);

	if (error)
		ksr_stop_end(stop);
	return error;
}

bool ksr_stop_in_group_stop(const struct ksr_stop *stop)
{
	for (size_t i = 0; i < stop->count; i++)
		if (stop->threads[i].stands && stop->threads[i].group_stop)
			return true;
	return false;
}

void ksr_stop_end(struct ksr_stop *stop)
{
	for (size_t i = 0; i < stop->count; i++)
		if (stop->threads[i].stands)
			trace(PTRACE_DETACH, stop->threads[i].tid, NULL);
	if (stop->watched)
		timer_delete(stop->watch);
	stop->watched = false;
	free(stop->threads);
	stop->threads = NULL;
	stop->count = 0;
	stop->capacity = 0;
}
