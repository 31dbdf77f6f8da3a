/* SPDX-License-Identifier: BSD-2-Clause */
/* In a forked child a slot that grows stays one advised mapping. */
#include "test.h"

#include <sys/wait.h>

#define COUNT 1024
#define SIZE  (64 * TEST_KIB)

int main(void)
{
	static void *blocks[COUNT];
	int status;

	/* One loop for both, so that the child goes on with its parent's site. */
	for (size_t round = test_opaque(0); round < 2; round++) {
		test_alloc_many(blocks + round * COUNT / 2, COUNT / 2, SIZE);
		if (round == 1)
			break;
		for (size_t i = 0; i < COUNT / 2; i++)
			test_fill(blocks[i], SIZE, i);
		pid_t child = fork();

		CHECK(child >= 0);
		if (child > 0) {
			CHECK(waitpid(child, &status, 0) == child);
			CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child: %x", status);
			return 0;
		}
	}
	for (size_t i = COUNT / 2; i < COUNT; i++)
		test_fill(blocks[i], SIZE, i);
	for (size_t i = 0; i < COUNT; i++)
		CHECK(test_matches(blocks[i], SIZE, i));
	CHECK(test_site_of(blocks[COUNT - 1]) == test_site_of(blocks[COUNT / 2 - 1]));
	struct test_vma first = test_vma_of(blocks[COUNT / 2 - 1]), last = test_vma_of(blocks[COUNT - 1]);

	CHECK_MSG(first.begin == last.begin, "the slot was split");
	CHECK(test_has_flag(blocks[COUNT - 1], "mg"));
	CHECK(test_vma_count_flag("mg") == 1);
	return 0;
}
