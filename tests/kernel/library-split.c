/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A slot whose mapping the program has split grows by a mapping of its own, which has the same
 * hint and is hinted before its first touch; and a change of the hint reaches both.
 */
#include "library.h"

#include <sys/mman.h>

#define COUNT 40

int main(void)
{
	static void *blocks[3 * COUNT];
	struct test_vma first, last;

	need_hints();
	for (size_t round = test_opaque(0); round < 2; round++) {
		test_alloc_many(blocks + round * COUNT, (round + 1) * COUNT, BLOCK);
		if (round > 0)
			break;
		first = test_vma_of(blocks[COUNT - 1]);
		/* The last page of the mapping, which it would grow from. */
		CHECK(mprotect((void *)(first.end - TEST_PAGE), TEST_PAGE, PROT_READ) == 0);
	}
	first = test_vma_of(blocks[4]);
	last = test_vma_of(blocks[3 * COUNT - 1]);
	CHECK_MSG(first.begin != last.begin, "the slot was not split");
	CHECK(first.hint != 0 && first.hint == last.hint);
	CHECK(last.rss_bytes == 0);
	CHECK(ksmalloc_settled(blocks[4]) == 0);
	CHECK(STABILITY(test_vma_of(blocks[4]).hint) == KSMALLOC_STABILITY_SETTLED);
	CHECK(test_vma_of(blocks[3 * COUNT - 1]).hint == test_vma_of(blocks[4]).hint);
	CHECK(test_segment()->stats.hint_failed_total == 0);
	return 0;
}
