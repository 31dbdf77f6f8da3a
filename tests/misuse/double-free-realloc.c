/* SPDX-License-Identifier: BSD-2-Clause */
/* realloc of a placed block that was freed is a use after free. */
#define EXPECTED "ksmalloc: double free"
#include "misuse.h"

static void misuse(void)
{
	char *block = placed_block();

	free(hide(block));
	free(realloc(hide(block), 2 * LARGE));
}
