/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process forks while one thread opens and closes libraries, and another one allocates inside of dl_iterate_phdr(3). The
 * child's large blocks are there, whoever had the loader's lock.
 */
#include "test.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define FORKS 300
#define LARGE 100000

static atomic_bool is_over;

static int allocate_inside(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)info;
	(void)size;
	(void)context;
	free(malloc(LARGE));
	return 0;
}

static void *iterate(void *argument)
{
	while (!atomic_load(&is_over))
		dl_iterate_phdr(allocate_inside, NULL);
	return argument;
}

static void *load(void *argument)
{
	while (!atomic_load(&is_over)) {
		void *library = dlopen("libanl.so.1", RTLD_NOW);

		CHECK(library && dlclose(library) == 0);
	}
	return argument;
}

static void be_the_child(void)
{
	char *block;

	alarm(30);
	block = malloc(LARGE);
	CHECK(block != NULL);
	memset(block, 1, LARGE);
	_exit(0);
}

int main(void)
{
	pthread_t threads[2];

	CHECK(pthread_create(&threads[0], NULL, iterate, NULL) == 0);
	CHECK(pthread_create(&threads[1], NULL, load, NULL) == 0);
	for (int i = 0; i < FORKS; i++) {
		pid_t child = fork();
		int status;

		CHECK(child >= 0);
		if (child == 0)
			be_the_child();
		CHECK(waitpid(child, &status, 0) == child);
		CHECK_MSG(status == 0, "child %d has ended with %#x", i, (unsigned int)status);
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	return 0;
}
