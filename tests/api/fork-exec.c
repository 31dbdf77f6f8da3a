/* SPDX-License-Identifier: BSD-2-Clause */
/* exec starts afresh: no mark and nothing of the segment of the program before it is left. */
#include "test.h"

#define COUNT 64

int main(int argc, char **argv)
{
	void *blocks[COUNT];

	if (argc > 1) {
		CHECK(test_segment()->slots.count == 0);
		CHECK(test_vma_count_flag("mg") == 0);
	}
	test_alloc_many(blocks, COUNT, 50000);
	CHECK(test_is_placed(blocks[COUNT - 1]));
	CHECK(test_segment()->slots.count > 0);
	CHECK(test_segment()->stats.forks_total == 0);
	if (argc < 4) {
		char *arguments[6] = { argv[0] };
		static char again[] = "again";

		for (int i = 1; i <= argc; i++)
			arguments[i] = again;
		execv("/proc/self/exe", arguments);
		CHECK(!"exec");
	}
	return 0;
}
