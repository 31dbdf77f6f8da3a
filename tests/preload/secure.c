/* SPDX-License-Identifier: BSD-2-Clause */
/* Says what the library makes of its environment; see the script `setuid`. */
#include "test.h"

#include <sys/auxv.h>

#define COUNT 64

int main(void)
{
	void *blocks[COUNT], *arena;

	CHECK(ksmalloc_arena_reserve("heap", TEST_MIB, 0, &arena) == 0 && ksmalloc_arena_resize(arena, TEST_MIB) == 0);
	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	/* A process with raised rights may not read its own maps everywhere: ask the auxiliary vector first. */
	printf("secure %lu ", getauxval(AT_SECURE));
	fflush(stdout);
	printf("advised %d in %s\n", test_has_flag(blocks[COUNT - 1], "mg"),
	       test_segment() ? test_vma_of(test_segment()).name : "none");
	printf("arena advised %d at %p\n", test_has_flag(arena, "mg"), arena);
	return 0;
}
