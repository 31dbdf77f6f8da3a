/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dlopen, dlmopen and dlclose: what is known of code ends when files come and go, and a file that is
 * opened with RTLD_DEEPBIND is not to get libc's malloc (deepbind.h). The next function is
 * reached by a jump, so that it sees its real caller, whose RUNPATH it searches.
 */
#include "arena/anchor.h"
#include "base.h"
#include "deepbind.h"
#include "mapping/image.h"
#include "language/language.h"
#include "site/module.h"
#include "site/site.h"
#include "segment/stat.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

typedef void *dlopen_function(const char *file, int mode);
typedef void *dlmopen_function(Lmid_t name_space, const char *file, int mode);
typedef int dlclose_function(void *handle);

static dlopen_function *next_dlopen;
static dlmopen_function *next_dlmopen;
static dlclose_function *next_dlclose;

/* At load time: dlsym allocates, and must not do so inside of the wrappers' callers' locks. */
__attribute__((constructor)) static void find_next(void)
{
	next_dlopen = (dlopen_function *)dlsym(RTLD_NEXT, "dlopen");
	next_dlmopen = (dlmopen_function *)dlsym(RTLD_NEXT, "dlmopen");
	next_dlclose = (dlclose_function *)dlsym(RTLD_NEXT, "dlclose");
}

/* What was known of the code at a library's addresses ends with it. */
static void forget_code(void)
{
	if (ksm_stat)
		ksm_site_flush();
}

/* What an interpreter keeps may not be read any more, by a child that is forked meanwhile neither. */
static void begin_unload(void)
{
	ksm_module_begin_unload();
	ksm_language_forget();
	ksm_image_begin_unload();
}

static void end_unload(void)
{
	ksm_image_end_unload();
	forget_code();
	ksm_module_end_unload();
}

/* What is to be done before a file is opened; returns the mode to open it with. */
static int prepare(const char *file, Lmid_t name_space, int mode)
{
	forget_code();
	if (file && !(mode & RTLD_NOLOAD))
		ksm_anchor_pass(file, strlen(file), false);
	if (ksm_unlikely(mode & RTLD_DEEPBIND) && name_space == LM_ID_BASE)
		return ksm_deepbind_mode(mode);
	return mode;
}

KSM_EXPORT void *dlopen(const char *file, int mode)
{
	if (ksm_unlikely(!next_dlopen))
		find_next();
	mode = prepare(file, LM_ID_BASE, mode);
	return next_dlopen(file, mode);
}

KSM_EXPORT void *dlmopen(Lmid_t name_space, const char *file, int mode)
{
	if (ksm_unlikely(!next_dlmopen))
		find_next();
	mode = prepare(file, name_space, mode);
	return next_dlmopen(name_space, file, mode);
}

KSM_EXPORT int dlclose(void *handle)
{
	int result;

	if (ksm_unlikely(!next_dlclose))
		find_next();
	begin_unload();
	result = next_dlclose(handle);
	end_unload();
	return result;
}

/* --- for those who are led here by libc's symbols; the flag has been prepared for ---------- */

void *ksm_deepbind_dlopen(const char *file, int mode)
{
	forget_code();
	return ksm_deepbind_libc.dlopen(file, mode);
}

void *ksm_deepbind_dlmopen(long name_space, const char *file, int mode)
{
	forget_code();
	return ksm_deepbind_libc.dlmopen(name_space, file, mode);
}

int ksm_deepbind_dlclose(void *handle)
{
	int result;

	begin_unload();
	result = ksm_deepbind_libc.dlclose(handle);
	end_unload();
	return result;
}

/*
 * Named in LD_AUDIT, the library audits nothing. The loader would unload what has not this function, and
 * cannot: the library is never unloaded.
 */
KSM_EXPORT unsigned int la_version(unsigned int version)
{
	return version;
}
