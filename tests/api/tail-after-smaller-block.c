/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block's last page ends in zeros whatever was there before: a larger block of as many pages, a
 * smaller one, and one whose whole length the program was told and has used.
 */
#include "test.h"

#include <malloc.h>

static const size_t sizes[] = { 60000, 57500, 61400, 57400, 61440, 58000 };

static TEST_NOINLINE void *take(size_t size)
{
	return malloc(size);
}

/* All of these take 15 pages, and come from one line: they are one another's runs. */
static void run(bool use_all)
{
	uint64_t state = 3;
	void *before = NULL;
	int again = 0;

	for (int i = 0; i < 2000; i++) {
		size_t size = sizes[test_random(&state) % (sizeof(sizes) / sizeof(sizes[0]))];
		void *block = take(size);

		CHECK(test_tail_is_zero(block, size));
		again += block == before;
		before = block;
		memset(block, 0x77, use_all ? malloc_usable_size(block) : size);
		free(block);
	}
	CHECK_MSG(again > 1000, "the run was taken again %d times only", again);
}

int main(void)
{
	run(false);
	run(true);
	return 0;
}
