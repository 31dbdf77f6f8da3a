/* SPDX-License-Identifier: BSD-2-Clause */
/* An arena that was given back is no arena any more. */
#define EXPECTED "ksmalloc: invalid arena"
#include "misuse.h"

static void misuse(void)
{
	void *arena;

	CHECK(ksmalloc_arena_reserve("heap", 4 * TEST_MIB, 0, &arena) == 0);
	CHECK(ksmalloc_arena_resize(arena, TEST_MIB) == 0);
	CHECK(ksmalloc_arena_release(arena) == 0);
	ksmalloc_arena_resize(arena, TEST_PAGE);
}
