/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program of one thread may be forked, as by a signal handler, where it has the loader's lock: where the library looks for
 * the stack of a call, or an exception is thrown. Parent and child go on, leave the loader, and can ask it again.
 */
#include "test.h"

#include <link.h>
#include <pthread.h>
#include <sys/wait.h>

static pid_t child = -1;

static int fork_inside(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)info;
	(void)size;
	(void)context;
	child = fork();
	return 1;
}

static int count(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)info;
	(void)size;
	++*(int *)context;
	return 0;
}

/* In another thread, which has the lock only if the first one has left it. */
static void *ask_the_loader(void *argument)
{
	int objects = 0;
	void *blocks[8];

	dl_iterate_phdr(count, &objects);
	CHECK(objects > 0);
	/* The library asks for itself, where it has not seen this stack before. */
	test_alloc_many(blocks, 8, 100000);
	test_free_many(blocks, 8);
	return argument;
}

static void go_on(void)
{
	pthread_t thread;

	/* Who waits for the lock waits for ever. */
	alarm(60 * test_slower());
	ask_the_loader(NULL);
	CHECK(pthread_create(&thread, NULL, ask_the_loader, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

int main(void)
{
	void *block = malloc(100000);
	int status;

	/* The library is set up. */
	CHECK(block != NULL);
	free(block);
	dl_iterate_phdr(fork_inside, NULL);
	CHECK(child >= 0);
	go_on();
	if (child == 0)
		return 0;
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child has ended with %#x", (unsigned int)status);
	return 0;
}
