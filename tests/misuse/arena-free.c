/* SPDX-License-Identifier: BSD-2-Clause */
/* free() of an address in an arena of a runtime's is noticed. */
#define EXPECTED "ksmalloc: invalid pointer"
#include "misuse.h"

static void misuse(void)
{
	void *arena;

	CHECK(ksmalloc_arena_reserve("heap", 4 * TEST_MIB, 0, &arena) == 0);
	CHECK(ksmalloc_arena_resize(arena, TEST_MIB) == 0);
	free((char *)hide(arena) + 64 * TEST_KIB);
}
