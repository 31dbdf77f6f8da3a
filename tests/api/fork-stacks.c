/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads map memory from call stacks that nobody has seen before, each of which the library asks the loader about,
 * while the process forks 1500 times; each child maps memory from new call stacks, too: it must not wait for the loader's
 * lock, which a thread may have held that the child does not have.
 */
#include "fork-often.h"
#include "new-stacks.h"

#include <sys/mman.h>

#define FORKS	1500
#define BYTES	(1 << 20)

static TEST_NOINLINE void end(uint64_t path)
{
	char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)path;
	CHECK(memory != MAP_FAILED);
	memory[0] = 1;
	CHECK(munmap(memory, BYTES) == 0);
	__asm__ volatile("" ::: "memory");
}

static void *run(void *data)
{
	uint64_t state = (uint64_t)(uintptr_t)data;

	while (!stop)
		wander(test_random(&state));
	return NULL;
}

static void in_child(unsigned long number)
{
	uint64_t state = number + 1000;

	for (int i = 0; i < 10; i++)
		wander(test_random(&state));
}

int main(void)
{
	alarm(100 * test_slower());
	fork_often(run, FORKS, in_child);
	return 0;
}
