/* SPDX-License-Identifier: BSD-2-Clause */
/* An address that is nobody's is no arena, also before there is any. */
#define EXPECTED "ksmalloc: invalid arena"
#include "misuse.h"

static void misuse(void)
{
	ksmalloc_arena_resize(hide(NULL), TEST_PAGE);
}
