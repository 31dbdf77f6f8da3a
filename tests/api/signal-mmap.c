/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmap, mremap and munmap may be called from a signal handler that interrupted
 * malloc: the wrappers take no lock that malloc holds, and keep errno rules.
 */
#include "test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

static volatile sig_atomic_t handled;

static void handler(int number)
{
	int saved = errno;

	(void)number;
	char *map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map != MAP_FAILED) {
		map[0] = map[(1 << 20) - 1] = 1;
		char *moved = mremap(map, 1 << 20, 3 << 20, MREMAP_MAYMOVE);

		if (moved != MAP_FAILED) {
			if (moved[0] != 1)
				_exit(3);
			munmap(moved, 3 << 20);
			handled++;
		}
	}
	errno = saved;
}

int main(void)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
	struct itimerval timer = { { 0, 150 }, { 0, 150 } };
	static void *blocks[64];
	uint64_t state = 3;

	alarm(100 * test_slower());
	CHECK(sigaction(SIGPROF, &action, NULL) == 0);
	CHECK(setitimer(ITIMER_PROF, &timer, NULL) == 0);
	/* CPU time drives the signals, so that a slow machine gets as many in as many calls. */
	for (int i = 0; handled < 300; i++) {
		size_t at = test_random(&state) % TEST_COUNT_OF(blocks);
		size_t size = test_random(&state) % 2 ? test_random(&state) % 300000 : 100;

		blocks[at] = realloc(blocks[at], size + 1);
		CHECK(blocks[at] != NULL);
		((char *)blocks[at])[size] = 1;
	}
	timer = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	CHECK(setitimer(ITIMER_PROF, &timer, NULL) == 0);
	return 0;
}
