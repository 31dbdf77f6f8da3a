/* SPDX-License-Identifier: BSD-2-Clause */
/* Grandchildren see the content of their ancestors' blocks, and free and resize them. */
#include "test.h"

#include <sys/wait.h>

#define COUNT 40
#define SIZE  (70 * TEST_KIB)

static void *blocks[COUNT];

static int generation(int left)
{
	int status = 0;

	for (size_t i = 0; i < COUNT; i++)
		CHECK(test_matches(blocks[i], SIZE, i));
	if (left > 0) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (child == 0)
			_exit(generation(left - 1));
		/* Both go on at the same time, each in its own copy. */
		for (size_t i = 0; i < COUNT; i += 2) {
			free(blocks[i]);
			blocks[i] = malloc(SIZE);
			CHECK(blocks[i] != NULL);
			memset(blocks[i], left, SIZE);
		}
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFEXITED(status));
		return WEXITSTATUS(status);
	}
	for (size_t i = 0; i < COUNT; i++) {
		blocks[i] = realloc(blocks[i], 3 * SIZE);
		CHECK(blocks[i] && test_matches(blocks[i], SIZE, i));
		free(blocks[i]);
	}
	return 0;
}

int main(void)
{
	test_alloc_many(blocks, COUNT, SIZE);
	for (size_t i = 0; i < COUNT; i++)
		test_fill(blocks[i], SIZE, i);
	return generation(4);
}
