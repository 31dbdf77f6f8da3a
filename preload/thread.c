/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pthread_create, to number threads in the order in which their creators made
 * them. The number chooses a nursery (and, in the shared layout, a part of a
 * slot), and must not depend on which thread happens to run first.
 */
#include "arena/arena.h"
#include "arena/aside.h"
#include "base.h"
#include "deepbind.h"
#include "calls/fork.h"
#include "calls/heap.h"
#include "layout/layout.h"
#include "calls/mapped.h"
#include "os/os.h"
#include "calls/start.h"
#include "layout/stream.h"
#include "site/thread.h"
#include "site/unwind.h"

#include <dlfcn.h>
#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

typedef int create_function(pthread_t *thread, const pthread_attr_t *attributes,
			    void *(*routine)(void *), void *argument);

#define HERE() (uintptr_t)__builtin_return_address(0), (uintptr_t)__builtin_frame_address(0)

struct start {
	void *(*routine)(void *);
	void *argument;
	uint32_t ordinal;
	size_t stack_bytes;
	struct ksm_mapped_by by; /* who made the thread */
	bool is_awaited;	/* by the creator, whose block this is then */
	uint32_t is_ready;	/* not 0: the creator goes on. Synchronization: atomic */
};

static create_function *next_create;

__attribute__((constructor)) static void find_next(void)
{
	next_create = (create_function *)dlsym(RTLD_NEXT, "pthread_create");
}

static void *run(void *argument)
{
	struct start *given = argument;
	struct start start = *given;

	ksm_stream_start_thread(start.ordinal);
	ksm_unwind_own_stack(start.stack_bytes);
	ksm_mapped_note_stack(start.by, start.stack_bytes);
	if (start.is_awaited) {
		ksm_arena_bind_thread();
		/* The creator may have gone on between these two: nobody sleeps on the word then. */
		__atomic_store_n(&given->is_ready, 1, __ATOMIC_RELEASE);
		ksm_os_wake(&given->is_ready);
	} else {
		ksm_heap_free(given);
	}
	return start.routine(start.argument);
}

static struct start *copy_of(const struct start *start)
{
	struct start *copy = ksm_je_malloc(sizeof(*copy));

	if (copy)
		*copy = *start;
	return copy;
}

/* True in a child that was forked since there were so many forks, by fork(3) or without its handlers. */
static bool was_forked(uint32_t forks)
{
	ksm_fork_detect();
	return ksm_fork_count() != forks;
}

/*
 * In the shared layout the creator waits until the thread has taken what jemalloc needs for it.
 * Otherwise that and what the creator allocates next would change places from run to run. No
 * block goes from one thread to the other for the same reason. Not a semaphore: waiting for one
 * is a cancellation point, which pthread_create(3) is not.
 *
 * A signal handler may fork meanwhile. In that child there is a thread if it was not yet made then, and else there is
 * none. Nobody can tell, so the creator looks once more, and what it leaves behind stays where it is.
 */
#define LOOK_AGAIN_US 50000

static int create_and_wait(create_function *next, pthread_t *thread, const pthread_attr_t *attributes,
			   const struct start *start)
{
	uint32_t forks = ksm_fork_count();
	struct start *copy = copy_of(start);
	bool is_child = false;
	int error;

	if (!copy)
		return EAGAIN;
	/* While a thread starts the library, large blocks of others are jemalloc's. */
	ksm_start_slots();
	error = next(thread, attributes, run, copy);
	while (!error && !__atomic_load_n(&copy->is_ready, __ATOMIC_ACQUIRE) && !is_child) {
		is_child = was_forked(forks);
		ksm_os_wait(&copy->is_ready, 0, LOOK_AGAIN_US);
	}
	if (!is_child)
		ksm_heap_free(copy);
	return error;
}

static int create(create_function *next, pthread_t *thread, const pthread_attr_t *attributes,
		  const struct start *start)
{
	struct start *copy = copy_of(start);
	int error;

	if (!copy)
		return EAGAIN;
	error = next(thread, attributes, run, copy);
	if (error)
		ksm_heap_free(copy);
	return error;
}

/* The size of the stack that the thread will have, 0 if that cannot be told. */
static size_t stack_size(const pthread_attr_t *attributes)
{
	pthread_attr_t usual;
	size_t size = 0;

	if (attributes) {
		pthread_attr_getstacksize(attributes, &size);
	} else if (pthread_getattr_default_np(&usual) == 0) {
		pthread_attr_getstacksize(&usual, &size);
		pthread_attr_destroy(&usual);
	}
	return size;
}

static int create_numbered(create_function *next, pthread_t *thread, const pthread_attr_t *attributes,
			   void *(*routine)(void *), void *argument, uintptr_t caller, uintptr_t frame)
{
	struct start start = { .routine = routine, .argument = argument };

	/* A library's constructor may come before ours, and threads' stacks may not have their size yet. */
	ksm_start_init(environ);
	if (ksm_stream_is_due())
		ksm_fork_go();
	if (ksm_aside())
		return next(thread, attributes, routine, argument);
	start.stack_bytes = stack_size(attributes);
	start.ordinal = ksm_stream_next_ordinal();
	start.by = ksm_mapped_ask_thread(caller, frame);
	start.is_awaited = ksm_layout_is_shared();
	return start.is_awaited ? create_and_wait(next, thread, attributes, &start) :
				  create(next, thread, attributes, &start);
}

KSM_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			      void *(*routine)(void *), void *argument)
{
	if (ksm_unlikely(!next_create))
		find_next();
	return create_numbered(next_create, thread, attributes, routine, argument, HERE());
}

int ksm_deepbind_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
				void *(*routine)(void *), void *argument)
{
	return create_numbered(ksm_deepbind_libc.pthread_create, thread, attributes, routine, argument, HERE());
}
