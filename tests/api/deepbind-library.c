/* SPDX-License-Identifier: BSD-2-Clause */
/* The dependency of the RTLD_DEEPBIND plugins, with a version() of its own. */
#include "deepbind-plugin.h"

#include <stdlib.h>

const char *version(void)
{
	return "library";
}

const char *library_calls_version(void)
{
	return version();
}

void *library_make(size_t size)
{
	return malloc(size);
}
