/* SPDX-License-Identifier: BSD-2-Clause */
#include "system/alone.h"

#include <criterion/criterion.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

static void add_filter(void)
{
	struct sock_filter filter[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	const struct sock_fprog program = { 1, filter };

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* It may kill the process for a call that is not needed. What the process was started with has been tried. */
Test(alone, a_filter_of_the_programs_ends_calls_of_ioctl)
{
	enum ksmalloc_aside why;
	bool is_possible;

	add_filter();
	cr_assert_eq(ksm_alone_init(), 0);
	ksm_alone_check(false, &why, NULL);
	/* Before Linux 6.11 that is so from the first time on. */
	is_possible = ksm_os_can_ask_for_mappings();
	cr_log_info("it can be asked: %d", is_possible);
	add_filter();
	ksm_alone_check(false, &why, NULL);
	cr_assert_not(ksm_os_can_ask_for_mappings());
}
