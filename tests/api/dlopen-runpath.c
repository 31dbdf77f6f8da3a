/* SPDX-License-Identifier: BSD-2-Clause */
/* dlopen of a bare name still looks into the caller's own RUNPATH, although the call is interposed. */
#include "test.h"

#include <dlfcn.h>

int main(int argc, char **argv)
{
	CHECK(argc > 1);
	void *handle = dlopen(argv[1], RTLD_NOW);

	CHECK_MSG(handle != NULL, "%s", dlerror());
	CHECK(dlsym(handle, "plugin_number") != NULL);
	return 0;
}
