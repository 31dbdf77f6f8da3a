/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pthread_create that lies between ours and libc's: what a signal handler would do before there is a thread is done
 * then, each time, and the thread begins late.
 */
#include "abuse-create.h"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

/* Longer than a creator waits in a child, where there may be no thread. */
#define LATE_US 150000

void (*abuse_before_thread)(void);

static struct {
	void *(*routine)(void *);
	void *argument;
} late;

static void *begin_late(void *ignored)
{
	(void)ignored;
	usleep(LATE_US);
	return late.routine(late.argument);
}

__attribute__((visibility("default"))) int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
							  void *(*routine)(void *), void *argument)
{
	int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = dlsym(RTLD_NEXT, "pthread_create");

	if (!abuse_before_thread)
		return next(thread, attributes, routine, argument);
	abuse_before_thread();
	late.routine = routine;
	late.argument = argument;
	return next(thread, attributes, begin_late, NULL);
}
