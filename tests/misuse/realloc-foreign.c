/* SPDX-License-Identifier: BSD-2-Clause */
/* realloc of an address that never came from malloc. */
#define EXPECTED "ksmalloc: invalid pointer"
#include "misuse.h"

static void misuse(void)
{
	static _Alignas(4096) char buffer[8192];

	free(realloc(hide(buffer), 100000));
}
