/* SPDX-License-Identifier: BSD-2-Clause */
/* realloc does not take a pointer into the middle of a placed block. */
#define EXPECTED "ksmalloc: invalid pointer"
#include "misuse.h"

static void misuse(void)
{
	char *block = placed_block();

	free(realloc(hide(block + TEST_PAGE), 3 * LARGE));
}
