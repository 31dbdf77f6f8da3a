/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dlopen without RTLD_DEEPBIND. A library opened with it looks up malloc in itself and
 * libc first and then frees our blocks with libc's free: php crashes with every
 * preloaded malloc that leaves the flag alone. The next dlopen is reached by a
 * jump, so that it sees its real caller, whose RUNPATH it searches.
 */
#include "base.h"
#include "site.h"
#include "stat.h"

#include <dlfcn.h>
#include <stdlib.h>

typedef void *dlopen_function(const char *file, int mode);
typedef int dlclose_function(void *handle);

static dlopen_function *next_dlopen;
static dlclose_function *next_dlclose;

/* At load time: dlsym allocates, and must not do so inside of the wrappers' callers' locks. */
__attribute__((constructor)) static void find_next(void)
{
	next_dlopen = (dlopen_function *)dlsym(RTLD_NEXT, "dlopen");
	next_dlclose = (dlclose_function *)dlsym(RTLD_NEXT, "dlclose");
}

KSM_EXPORT void *dlopen(const char *file, int mode)
{
	if (ksm_unlikely(!next_dlopen))
		find_next();
	if (ksm_stat)
		ksm_site_flush();
	return next_dlopen(file, mode & ~RTLD_DEEPBIND);
}

/* What was known of the code at a library's addresses ends with it. */
KSM_EXPORT int dlclose(void *handle)
{
	int result;

	if (ksm_unlikely(!next_dlclose))
		find_next();
	result = next_dlclose(handle);
	if (ksm_stat)
		ksm_site_flush();
	return result;
}
