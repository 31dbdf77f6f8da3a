/* SPDX-License-Identifier: BSD-2-Clause */
/* An address of a static variable is not a block. */
#define EXPECTED "ksmalloc: invalid pointer"
#include "misuse.h"

static void misuse(void)
{
	static _Alignas(4096) char buffer[8192];

	free(hide(buffer + 4096));
}
