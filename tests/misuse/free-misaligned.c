/* SPDX-License-Identifier: BSD-2-Clause */
/* A pointer into a placed block that is not at a page is not one that malloc gave. */
#define EXPECTED "ksmalloc: misaligned pointer"
#include "misuse.h"

static void misuse(void)
{
	char *block = placed_block();

	free(hide(block + 16));
}
