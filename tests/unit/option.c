/* SPDX-License-Identifier: BSD-2-Clause */
#include "system/option.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <string.h>

static uint64_t parse(const char *text, int expected)
{
	uint64_t value = 77;

	cr_assert_eq(ksm_option_parse_size(text, strlen(text), &value), expected, "%s", text);
	return value;
}

Test(option, sizes_have_suffixes)
{
	cr_assert_eq(parse("0", 0), 0);
	cr_assert_eq(parse("16K", 0), 16384);
	cr_assert_eq(parse("3m", 0), 3 << 20);
	cr_assert_eq(parse("2G", 0), UINT64_C(2) << 30);
	cr_assert_eq(parse("18446744073709551615", 0), UINT64_MAX);
}

Test(option, what_is_no_size_is_refused)
{
	parse("", -EINVAL);
	parse("K", -EINVAL);
	parse("-1", -EINVAL);
	parse("1KB", -EINVAL);
	parse("1 K", -EINVAL);
	parse("18446744073709551616", -ERANGE);
	parse("18446744073709551615K", -ERANGE);
}

/* Criterion gives each test a process, so that the options start anew. */
static void init(const char *first, const char *second)
{
	char *environment[] = { (char *)(uintptr_t)"HOME=/", (char *)(uintptr_t)first,
				(char *)(uintptr_t)second, NULL };

	cr_redirect_stderr();
	ksm_option_init(environment);
}

Test(option, reads_variables)
{
	init("KSMALLOC_THRESHOLD=32K", "KSMALLOC_ADVISE=none");
	cr_assert_eq(ksm_options.threshold, 32768);
	cr_assert_eq(ksm_options.advise, KSM_ADVISE_NONE);
	cr_assert_eq(ksm_options.site_bytes, 256 * 1024);
}

Test(option, a_variable_wins_over_the_list)
{
	init("KSMALLOC_THRESHOLD=64K", "KSMALLOC_CONF=threshold:32K,allow:function:f,stats:0");
	cr_assert_eq(ksm_options.threshold, 65536);
	cr_assert_str_eq(ksm_options.allow, "function:f");
	cr_assert_eq(ksm_options.stats, 0);
}

Test(option, a_bad_value_is_named_and_the_default_used)
{
	init("KSMALLOC_THRESHOLD=many", "KSMALLOC_KEEP_PERCENT=101");
	cr_assert_eq(ksm_options.threshold, 16384);
	cr_assert_eq(ksm_options.keep_percent, 3);
	cr_assert_stderr_eq_str(
		"ksmalloc: KSMALLOC_THRESHOLD: cannot read \"many\" as a number of bytes, using the default\n"
		"ksmalloc: KSMALLOC_KEEP_PERCENT: 101 is not between 0 and 100, using 3\n");
}

Test(option, a_group_has_a_name_that_commands_take)
{
	init("KSMALLOC_GROUP=web/1", "KSMALLOC_CONF=group:Web-1.a_b");
	cr_assert_str_eq(ksm_options.group, "Web-1.a_b");
	cr_assert_stderr_eq_str(
		"ksmalloc: KSMALLOC_GROUP: a name has letters, digits, '.', '_' and '-' only, ignored\n");
}

Test(option, an_unknown_name_is_named)
{
	init("KSMALLOC_TRESHOLD=1", "KSMALLOC_CONF=threshold=3");
	cr_assert_stderr_eq_str("ksmalloc: KSMALLOC_CONF: \"threshold=3\" is not name:value\n"
				"ksmalloc: KSMALLOC_TRESHOLD: there is no option of this name\n");
}
