/* SPDX-License-Identifier: BSD-2-Clause */
/* An address on the stack is not a block. */
#define EXPECTED "ksmalloc: invalid pointer"
#include "misuse.h"

static void misuse(void)
{
	_Alignas(4096) char buffer[8192] = { 0 };

	free(hide(buffer + 4096));
}
