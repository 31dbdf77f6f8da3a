/* SPDX-License-Identifier: BSD-2-Clause */
/* The old address is dead after a realloc that moved the block. */
#define EXPECTED "ksmalloc: double free"
#include "misuse.h"

static void misuse(void)
{
	char *block = placed_block();
	char *moved = realloc(hide(block), 40 * LARGE);

	if (moved == block)
		_exit(5);
	free(hide(block));
}
