/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vfork child shares its parent's memory: what the library does between vfork
 * and exec must not make the parent's state the child's.
 */
#include "test.h"

#include <spawn.h>
#include <sys/wait.h>

#define COUNT 64

static char child_name[] = "child";

int main(int argc, char **argv)
{
	void *blocks[COUNT];
	int status;

	if (argc > 1) {
		test_alloc_many(blocks, COUNT, 50000);
		CHECK(test_is_placed(blocks[COUNT - 1]));
		CHECK(test_segment()->slots.count > 0);
		return 42;
	}
	test_alloc_many(blocks, COUNT, 50000);
	CHECK(test_is_placed(blocks[COUNT - 1]));
	const struct ksmalloc_segment_header *segment = test_segment();

	for (int i = 0; i < 20; i++) {
		char *const arguments[] = { argv[0], child_name, NULL };
		pid_t child = vfork();

		if (child == 0) {
			execv("/proc/self/exe", arguments);
			_exit(1);
		}
		CHECK(child > 0);
		CHECK(waitpid(child, &status, 0) == child);
		CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 42, "child ended with %x", status);

		CHECK(posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ) == 0);
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);

		/* The parent is what it was: the same segment, and counted as no fork. */
		CHECK(test_segment() == segment);
		CHECK(segment->stats.forks_total == 0);
		free(blocks[i]);
		blocks[i] = malloc(50000);
		CHECK(blocks[i] != NULL);
	}
	return 0;
}
