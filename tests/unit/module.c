/* SPDX-License-Identifier: BSD-2-Clause */
#include "site/module.h"
#include "segment/stat.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>

static void setup(void)
{
	cr_assert_eq(ksm_stat_init(), 0);
}

TestSuite(module, .init = setup);

Test(module, resolves_code_of_the_program_and_of_a_library)
{
	struct ksm_module_address program;
	struct ksm_module_address library;

	cr_assert_eq(ksm_module_resolve((uintptr_t)setup, &program), 0);
	cr_assert_eq(ksm_module_resolve((uintptr_t)dlsym(RTLD_DEFAULT, "l64a"), &library), 0);
	cr_assert_neq(program.module, library.module);
	/* Readers know which file that is. */
	cr_assert_str_eq(ksm_module_path(program.module), KSMALLOC_PROGRAM_PATH);
	cr_assert_not_null(strstr(ksm_module_path(library.module), "libc.so"));
}

Test(module, the_program_has_its_name_where_patterns_want_it)
{
	struct ksm_module_address program;

	ksm_module_name_program();
	cr_assert_eq(ksm_module_resolve((uintptr_t)setup, &program), 0);
	cr_assert_not_null(strstr(ksm_module_path(program.module), "unit-module"));
}

Test(module, memory_outside_of_files_does_not_resolve)
{
	struct ksm_module_address result;
	void *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(ksm_module_resolve((uintptr_t)memory + 8, &result), 0);
	cr_assert_neq(ksm_module_resolve(0, &result), 0);
}

Test(module, identity_is_the_build_id)
{
	struct ksm_module_address result;
	const uint8_t *bytes;

	cr_assert_eq(ksm_module_resolve((uintptr_t)dlsym(RTLD_DEFAULT, "l64a"), &result), 0);
	cr_assert_eq(ksm_module_identity(result.module, &bytes), 20);
	cr_assert_arr_eq(bytes, ksm_stat->modules[result.module].build_id, 20);
}

Test(module, an_unloaded_library_stops_resolving)
{
	void *handle = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
	uintptr_t code = (uintptr_t)dlsym(handle, "lgamma_r");
	struct ksm_module_address result;
	uint32_t generation = ksm_module_generation();

	if (!code || dlopen("libm.so.6", RTLD_NOW | RTLD_NOLOAD) == NULL)
		cr_skip("libm is not loaded apart from the program");
	dlclose(handle);
	cr_assert_eq(ksm_module_resolve(code, &result), 0);
	while (dlopen("libm.so.6", RTLD_NOW | RTLD_NOLOAD) && dlclose(handle) == 0 &&
	       dlclose(handle) == 0)
		;
	ksm_module_invalidate();
	cr_assert_gt(ksm_module_generation(), generation);
	if (dlopen("libm.so.6", RTLD_NOW | RTLD_NOLOAD))
		cr_skip("libm is part of this program");
	cr_assert_neq(ksm_module_resolve(code, &result), 0);
}
