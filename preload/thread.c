/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pthread_create, to number threads in the order in which their creators made
 * them. The number chooses a nursery (and, in the shared layout, a part of a
 * slot), and must not depend on which thread happens to run first.
 */
#include "aside.h"
#include "base.h"
#include "site.h"

#include <dlfcn.h>
#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <stdatomic.h>

typedef int create_function(pthread_t *thread, const pthread_attr_t *attributes,
			    void *(*routine)(void *), void *argument);

struct start {
	void *(*routine)(void *);
	void *argument;
	uint32_t ordinal;
};

static create_function *next_create;
static atomic_uint last_ordinal;

__attribute__((constructor)) static void find_next(void)
{
	next_create = (create_function *)dlsym(RTLD_NEXT, "pthread_create");
}

static void *run(void *argument)
{
	struct start start = *(struct start *)argument;

	ksm_je_free(argument);
	ksm_site_set_thread_ordinal(start.ordinal);
	return start.routine(start.argument);
}

KSM_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			      void *(*routine)(void *), void *argument)
{
	struct start *start;
	int error;

	if (ksm_unlikely(!next_create))
		find_next();
	if (ksm_aside())
		return next_create(thread, attributes, routine, argument);
	start = ksm_je_malloc(sizeof(*start));
	if (!start)
		return EAGAIN;
	start->routine = routine;
	start->argument = argument;
	start->ordinal = atomic_fetch_add(&last_ordinal, 1) + 1;
	error = next_create(thread, attributes, run, start);
	if (error)
		ksm_je_free(start);
	return error;
}
