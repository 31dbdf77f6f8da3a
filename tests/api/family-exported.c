/* SPDX-License-Identifier: BSD-2-Clause */
/* Every name of the malloc family comes from one library: a mix of two would corrupt both. */
#include "test.h"

#include <dlfcn.h>

int main(void)
{
	static const char *const names[] = { "malloc", "calloc", "realloc", "reallocarray", "free",
					     "free_sized", "free_aligned_sized", "aligned_alloc",
					     "posix_memalign", "memalign", "valloc", "pvalloc",
					     "malloc_usable_size", "malloc_trim", "mallinfo", "mallinfo2",
					     "malloc_info", "malloc_stats", "mallopt",
					     "ksmalloc_malloc", "ksmalloc_version" };

	for (size_t i = 0; i < TEST_COUNT_OF(names); i++) {
		void *address = dlsym(RTLD_DEFAULT, names[i]);
		Dl_info info;

		CHECK_MSG(address != NULL, "%s is missing", names[i]);
		CHECK(dladdr(address, &info) != 0);
		CHECK_MSG(strstr(info.dli_fname, "libksmalloc"), "%s comes from %s", names[i],
			  info.dli_fname);
	}
	CHECK(strcmp(ksmalloc_version(), KSMALLOC_VERSION_STRING) == 0);
	return 0;
}
