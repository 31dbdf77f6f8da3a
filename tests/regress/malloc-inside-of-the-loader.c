/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A callback of dl_iterate_phdr(3) may allocate, as Rust's does where it takes a backtrace: it has the loader's lock
 * then, and the library looks for the stack of its call. Another thread, whose stack is looked for at the same time,
 * asks the loader meanwhile. Neither waits for the other for ever.
 */
#include "test.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

#define ROUNDS 300
#define CALLS 4

static pthread_barrier_t both;

/* Nothing is known of a new thread's stack. */
static void allocate(void)
{
	void *blocks[2];

	test_alloc_many(blocks, 2, 100000);
	test_free_many(blocks, 2);
}

static int allocate_inside(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)info;
	(void)size;
	(void)context;
	allocate();
	return 1;
}

static void *iterate(void *argument)
{
	pthread_barrier_wait(&both);
	for (int i = 0; i < CALLS; i++)
		dl_iterate_phdr(allocate_inside, NULL);
	return argument;
}

static void *only_allocate(void *argument)
{
	pthread_barrier_wait(&both);
	for (int i = 0; i < CALLS; i++)
		allocate();
	return argument;
}

int main(void)
{
	alarm(60 * test_slower());
	CHECK(pthread_barrier_init(&both, NULL, 2) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_t threads[2];
		void *library = dlopen("libm.so.6", RTLD_NOW);

		/* What is known of code ends, so that the loader is asked once more. */
		CHECK(library != NULL && dlclose(library) == 0);
		CHECK(pthread_create(&threads[0], NULL, iterate, NULL) == 0);
		CHECK(pthread_create(&threads[1], NULL, only_allocate, NULL) == 0);
		for (int thread = 0; thread < 2; thread++)
			CHECK(pthread_join(threads[thread], NULL) == 0);
	}
	return 0;
}
