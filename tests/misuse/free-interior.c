/* SPDX-License-Identifier: BSD-2-Clause */
/* A pointer to a page inside of a placed block is not one that malloc gave. */
#define EXPECTED "ksmalloc: invalid pointer"
#include "misuse.h"

static void misuse(void)
{
	char *block = placed_block();

	free(hide(block + 2 * TEST_PAGE));
}
