/* SPDX-License-Identifier: BSD-2-Clause */
#include "system/late.h"

#include <criterion/criterion.h>
#include <dlfcn.h>

Test(late, what_is_linked_into_the_program_is_there_from_the_start)
{
	cr_assert_not(ksm_late());
	cr_assert(ksm_late_is_at_start());
	cr_assert_eq(ksm_late_state, KSM_LATE_NO);
	cr_assert_null(ksm_late_family.malloc);
}

Test(late, it_can_be_asked_again)
{
	cr_assert_not(ksm_late_find());
	cr_assert_not(ksm_late_find());
	cr_assert_not(ksm_late());
}

Test(late, each_change_of_the_loaded_code_is_counted)
{
	unsigned long long before = ksm_late_code_changes(), opened;
	void *handle;

	cr_assert_eq(ksm_late_code_changes(), before);
	handle = dlopen("libBrokenLocale.so.1", RTLD_NOW); /* of libc's package, and in nobody's way */
	cr_assert(handle);
	opened = ksm_late_code_changes();
	cr_assert_gt(opened, before);
	dlclose(handle);
	cr_assert_gt(ksm_late_code_changes(), opened);
}
