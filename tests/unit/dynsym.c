/* SPDX-License-Identifier: BSD-2-Clause */
#include "system/dynsym.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* libc's table of symbols; the process does not unload it. */
static struct ksm_dynsym libc;

static int find_libc(struct dl_phdr_info *info, size_t size, void *argument)
{
	(void)size;
	(void)argument;
	return ksm_dynsym_is_libc(info->dlpi_name) && ksm_dynsym_of(info, &libc);
}

static void *address(const ElfW(Sym) *symbol)
{
	return (void *)(libc.bias + symbol->st_value);
}

Test(dynsym, names_are_found_where_dlsym_finds_them)
{
	static const char *const names[] = { "malloc", "free", "dlopen", "qsort", "environ", "getpid" };
	void *handle = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

	cr_assert(dl_iterate_phdr(find_libc, NULL) && handle);
	for (size_t i = 0; i < KSM_COUNT_OF(names); i++) {
		ElfW(Sym) *symbol = ksm_dynsym_next(&libc, names[i], NULL);
		bool is_found = false;

		for (; symbol; symbol = ksm_dynsym_next(&libc, names[i], symbol))
			is_found |= address(symbol) == dlsym(handle, names[i]);
		cr_assert(is_found, "%s", names[i]);
	}
}

Test(dynsym, what_is_not_there_is_not_found)
{
	cr_assert(dl_iterate_phdr(find_libc, NULL));
	cr_assert_null(ksm_dynsym_next(&libc, "ksmalloc_malloc", NULL));
	cr_assert_null(ksm_dynsym_next(&libc, "", NULL));
	/* libc takes it from the loader. */
	cr_assert_null(ksm_dynsym_next(&libc, "__tls_get_addr", NULL));
}

Test(dynsym, functions_are_told_from_what_is_called_for_them)
{
	cr_assert(dl_iterate_phdr(find_libc, NULL));
	cr_assert(ksm_dynsym_is_function(ksm_dynsym_next(&libc, "malloc", NULL)));
	cr_assert_not(ksm_dynsym_is_function(ksm_dynsym_next(&libc, "environ", NULL)));
#ifdef __x86_64__
	cr_assert_not(ksm_dynsym_is_function(ksm_dynsym_next(&libc, "strlen", NULL)), "an indirect function");
#endif
}

Test(dynsym, files_of_libc_are_known_by_name)
{
	cr_assert(ksm_dynsym_is_libc("/lib/x86_64-linux-gnu/libc.so.6"));
	cr_assert(ksm_dynsym_is_libc("libpthread.so.0"));
	cr_assert_not(ksm_dynsym_is_libc("/lib/libcap.so.2"));
	cr_assert_not(ksm_dynsym_is_libc(""));
}
