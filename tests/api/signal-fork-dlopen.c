/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals whose handlers map memory from call stacks that nobody has seen before, in threads that allocate, fork, and load and
 * unload files, interpreters among them. No handler waits for a fork that waits for the thread it has interrupted, no
 * child waits for the loader's lock, and nobody reads an interpreter that is not there any more.
 */
#include "fork-often.h"
#include "new-stacks.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#define SECONDS 3
#define BYTES	(1 << 20)

static unsigned long handled, forked, opened;

static uint64_t next_path(void)
{
	static uint64_t state;
	uint64_t own = __atomic_add_fetch(&state, 1, __ATOMIC_RELAXED);

	return test_random(&own);
}

static TEST_NOINLINE void end(uint64_t path)
{
	char *memory = mmap(NULL, BYTES, path & 1 ? PROT_NONE : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || mprotect(memory, BYTES / 2, PROT_READ | PROT_WRITE) != 0)
		abort();
	memory[0] = 1;
	munmap(memory, BYTES);
	__asm__ volatile("" ::: "memory");
}

static void handle(int number)
{
	int saved_errno = errno;

	(void)number;
	__atomic_add_fetch(&handled, 1, __ATOMIC_RELAXED);
	wander(next_path());
	errno = saved_errno;
}

static void *allocate(void *unused)
{
	while (!stop) {
		void *block = malloc(20000 + next_path() % 50000), *small = malloc(next_path() % 2000);

		wander(next_path());
		free(block);
		free(small);
	}
	return unused;
}

static void in_child(unsigned long number)
{
	(void)number;
	for (int i = 0; i < 5; i++)
		wander(next_path());
	free(malloc(40000));
}

static void *fork_children(void *unused)
{
	for (; !stop; forked++)
		fork_once(forked, in_child);
	return unused;
}

/* Those that are not there are left out; libm always is. */
static void *open_often(void *unused)
{
	static const char *const files[] = { "libm.so.6", "libpython3.11.so.1.0", "libz.so.1", "libperl.so.5.36",
					     "libluajit-5.1.so.2", "libsqlite3.so.0" };

	for (size_t i = 0; !stop; i++) {
		void *handle = dlopen(files[i % TEST_COUNT_OF(files)], RTLD_NOW);

		if (handle && dlclose(handle) == 0)
			opened++;
	}
	return unused;
}

int main(void)
{
	static void *(*const works[])(void *) = { allocate, fork_children, open_often };
	const struct timespec pause = { .tv_nsec = 50000 };
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
	pthread_t threads[TEST_COUNT_OF(works)];
	struct timespec begin, now;
	sigset_t set;

	alarm(60 * test_slower());
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	for (size_t i = 0; i < TEST_COUNT_OF(works); i++)
		CHECK(pthread_create(&threads[i], NULL, works[i], NULL) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		kill(getpid(), SIGUSR1);
		nanosleep(&pause, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begin.tv_sec <= SECONDS);
	stop = true;
	for (size_t i = 0; i < TEST_COUNT_OF(works); i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK_MSG(handled && forked && opened, "%lu signals, %lu forks, %lu files", handled, forked, opened);
	return 0;
}
