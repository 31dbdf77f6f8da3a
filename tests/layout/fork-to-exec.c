/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork-to-exec COUNT: forks so many children, which make some small allocations and execute a program without the library, as
 * shells and servers do that start programs. Prints how many page faults the children had between fork and exec, and how many
 * their parent had meanwhile.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the parent has: enough for several slabs of each size. */
#define BLOCKS 20000
/* Of a child: the list of arguments, a path, a variable. Fewer than what leads a child to memory of its own. */
#define CALLS 40

static void *kept[BLOCKS];

static long faults(void)
{
	struct rusage usage;

	CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_minflt;
}

static void *filled(size_t size)
{
	void *block = malloc(size);

	CHECK(block != NULL);
	return memset(block, 1, size);
}

static _Noreturn void execute(long *count)
{
	char *const no_variables[] = { NULL };

	for (size_t i = 0; i < CALLS; i++)
		free(filled(16 + i % 10 * 24));
	/* The child's own, from its fork on. */
	*count += faults();
	execle("/bin/true", "true", (char *)NULL, no_variables);
	_exit(127);
}

int main(int argc, char **argv)
{
	long *of_children = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int count = argc > 1 ? atoi(argv[1]) : 0;
	long before;

	CHECK(of_children != MAP_FAILED);
	*of_children = 0;
	for (size_t i = 0; i < BLOCKS; i++)
		kept[i] = filled(16 + i % 20 * 24);
	before = faults();
	for (int i = 0; i < count; i++) {
		int status;
		pid_t child = fork();

		if (child == 0)
			execute(of_children);
		CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
		free(filled(100));
	}
	printf("%ld %ld\n", *of_children, faults() - before);
	return 0;
}
