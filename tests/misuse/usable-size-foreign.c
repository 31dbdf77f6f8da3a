/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc_usable_size of an address that never came from malloc. */
#define EXPECTED "ksmalloc: invalid pointer"
#include "misuse.h"

static void misuse(void)
{
	static _Alignas(4096) char buffer[8192];

	if (malloc_usable_size(hide(buffer)) != 1)
		_exit(5);
}
