/* SPDX-License-Identifier: BSD-2-Clause */
/* realloc() of an arena is noticed. */
#define EXPECTED "ksmalloc: invalid pointer"
#include "misuse.h"

static void misuse(void)
{
	void *arena;

	CHECK(ksmalloc_arena_reserve("heap", 4 * TEST_MIB, 0, &arena) == 0);
	CHECK(ksmalloc_arena_resize(arena, TEST_MIB) == 0);
	arena = realloc(hide(arena), 2 * TEST_MIB);
}
