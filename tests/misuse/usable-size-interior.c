/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc_usable_size does not answer for the middle of a placed block. */
#define EXPECTED "ksmalloc: invalid pointer"
#include "misuse.h"

static void misuse(void)
{
	char *block = placed_block();

	if (malloc_usable_size(hide(block + TEST_PAGE)) != 1)
		_exit(5);
}
