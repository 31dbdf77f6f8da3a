/* SPDX-License-Identifier: BSD-2-Clause */
/* With no descriptor left, neither for a segment nor for a look into a file, blocks are there all the same. */
#include "test.h"

#include <sys/resource.h>

#define COUNT 128

int main(void)
{
	struct rlimit limit = { 10, 10 };
	void *blocks[COUNT];

	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	while (dup(STDERR_FILENO) >= 0)
		;
	CHECK(errno == EMFILE);
	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	for (size_t i = 0; i < COUNT; i++)
		test_fill(blocks[i], 64 * TEST_KIB, i);
	for (size_t i = 0; i < COUNT; i++) {
		CHECK(test_matches(blocks[i], 64 * TEST_KIB, i));
		free(blocks[i]);
	}
	return 0;
}
