/* SPDX-License-Identifier: BSD-2-Clause */
/* An arena is known by its first byte only. */
#define EXPECTED "ksmalloc: invalid arena"
#include "misuse.h"

static void misuse(void)
{
	void *arena;

	CHECK(ksmalloc_arena_reserve("heap", 4 * TEST_MIB, 0, &arena) == 0);
	CHECK(ksmalloc_arena_resize(arena, TEST_MIB) == 0);
	ksmalloc_arena_release((char *)arena + TEST_PAGE);
}
