/* SPDX-License-Identifier: BSD-2-Clause */
#include "site/module.h"
#include "system/option.h"
#include "site/policy.h"
#include "segment/stat.h"
#include "site/symtab.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool matches(const char *glob, const char *text)
{
	return ksm_policy_glob(glob, strlen(glob), text);
}

Test(policy, globs)
{
	cr_assert(matches("abc", "abc"));
	cr_assert_not(matches("abc", "abcd"));
	cr_assert_not(matches("abc", "ab"));
	cr_assert(matches("*", ""));
	cr_assert(matches("a*c", "abbbc"));
	cr_assert(matches("*b*b*", "xbxxb"));
	cr_assert_not(matches("a*b", "axxc"));
	cr_assert(matches("?b", "ab"));
	cr_assert_not(matches("?", ""));
	cr_assert(matches("**a", "za"));
}

Test(policy, a_glob_ends_where_its_length_says)
{
	cr_assert(ksm_policy_glob("abc,def", 3, "abc"));
	cr_assert_not(ksm_policy_glob("abc,def", 3, "abc,def"));
}

Test(policy, labels_deny_beats_allow)
{
	ksm_options.allow = "label:data*";
	ksm_options.deny = "label:*secret";
	ksm_policy_init();
	cr_assert(ksm_policy_of_label("data").advise);
	cr_assert_not(ksm_policy_of_label("data-secret").advise);
	cr_assert_not(ksm_policy_of_label("other").advise);
}

Test(policy, an_allow_list_with_a_mistake_does_not_allow_all)
{
	cr_redirect_stderr();
	ksm_options.allow = "range:xyz";
	ksm_policy_init();
	cr_assert_not(ksm_policy_of_label("anything").advise);
	cr_assert_stderr_eq_str(
		"ksmalloc: KSMALLOC_ALLOW: cannot use the pattern \"range:xyz\", ignored\n");
}

/* Resolves an address of this program, for patterns on frames. */
static struct ksm_module_address frame_here(uintptr_t address)
{
	struct ksm_module_address frame;

	ksm_module_name_program();
	cr_assert_eq(ksm_stat_init(), 0);
	cr_assert_eq(ksm_module_resolve(address, &frame), 0);
	return frame;
}

__attribute__((noinline)) static void in_this_function(void)
{
	__asm__ volatile("nop; nop; nop" ::: "memory");
}

Test(policy, functions_are_found_in_the_symbol_table)
{
	struct ksm_module_address inside = frame_here((uintptr_t)in_this_function + 2);
	struct ksm_module_address elsewhere;

	cr_assert_eq(ksm_module_resolve((uintptr_t)matches + 2, &elsewhere), 0);
	ksm_options.allow = "function:in_this_func*";
	ksm_policy_init();
	cr_assert(ksm_policy_of_frames(&inside, 1).advise);
	cr_assert_not(ksm_policy_of_frames(&elsewhere, 1).advise);
}

Test(policy, modules_match_by_the_last_part_of_their_path)
{
	struct ksm_module_address frame = frame_here((uintptr_t)in_this_function + 2);

	ksm_options.deny = "module:unit-pol*";
	ksm_policy_init();
	cr_assert_not(ksm_policy_of_frames(&frame, 1).advise);
}

Test(policy, ranges_match_by_build_id)
{
	struct ksm_module_address frame = frame_here((uintptr_t)in_this_function + 2);
	const struct ksmalloc_segment_module *module = &ksm_stat->modules[frame.module];
	static char pattern[200];
	char *at = pattern + sprintf(pattern, "range:");

	cr_assert_gt(module->build_id_bytes, 0);
	for (uint32_t i = 0; i < module->build_id_bytes; i++)
		at += sprintf(at, "%02x", module->build_id[i]);
	sprintf(at, ":%llx-%llx", (unsigned long long)frame.offset - 2,
		(unsigned long long)frame.offset + 2);
	ksm_options.deny = pattern;
	ksm_policy_init();
	cr_assert_not(ksm_policy_of_frames(&frame, 1).advise);
	frame.offset += 100;
	cr_assert(ksm_policy_of_frames(&frame, 1).advise);
}

static void note(const char *name, uint64_t low, uint64_t high, void *argument)
{
	(void)low;
	(void)high;
	if (strcmp(name, "in_this_function") == 0)
		*(bool *)argument = true;
}

Test(policy, symtab_walks_an_executable_and_refuses_text)
{
	bool found = false;

	cr_assert_eq(ksm_symtab_each_function("/proc/self/exe", note, &found), 0);
	cr_assert(found);
	cr_assert_eq(ksm_symtab_each_function("/etc/passwd", note, &found), -ENOEXEC);
	cr_assert_eq(ksm_symtab_each_function("/nonexistent", note, &found), -ENOENT);
}

Test(policy, the_first_priority_that_matches_counts)
{
	ksm_options.hint_priority = 7;
	ksm_options.hint_priorities = "label:model=15,label:mod*=3,label:idle*=0";
	ksm_policy_init();
	cr_assert_eq(ksm_policy_of_label("model").priority, 15);
	cr_assert_eq(ksm_policy_of_label("models").priority, 3);
	cr_assert_eq(ksm_policy_of_label("idle-time").priority, 0);
	cr_assert_eq(ksm_policy_of_label("else").priority, 7);
	/* A priority is neither allowed nor denied. */
	cr_assert(ksm_policy_of_label("model").advise);
	cr_assert(ksm_policy_of_label("else").advise);
}

Test(policy, regions_have_half_the_priority_unless_a_pattern_names_them)
{
	ksm_options.hint_priority = 9;
	ksm_options.hint_priorities = "label:mappings=12";
	ksm_policy_init();
	cr_assert_eq(ksm_policy_of_region("heap").priority, 5);
	cr_assert_eq(ksm_policy_of_region("mappings").priority, 12);
	ksm_options.hint_priority = 0;
	cr_assert_eq(ksm_policy_of_region("heap").priority, 0);
}

Test(policy, priorities_of_functions)
{
	struct ksm_module_address inside = frame_here((uintptr_t)in_this_function + 2);
	struct ksm_module_address elsewhere;

	cr_assert_eq(ksm_module_resolve((uintptr_t)matches + 2, &elsewhere), 0);
	ksm_options.hint_priorities = "label:x=1,function:in_this_func*=2,module:*=4";
	ksm_policy_init();
	cr_assert_eq(ksm_policy_of_frames(&inside, 1).priority, 2);
	cr_assert_eq(ksm_policy_of_frames(&elsewhere, 1).priority, 4);
}

Test(policy, a_priority_that_cannot_be_read_is_ignored)
{
	static const char *const bad[] = { "label:a", "label:a=", "label:a=16", "label:a=-1", "=3", "a:b=3" };

	cr_redirect_stderr();
	ksm_options.hint_priority = 7;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ksm_options.hint_priorities = bad[i];
		ksm_policy_init();
		cr_assert_eq(ksm_policy_of_label("a").priority, 7, "%s", bad[i]);
		cr_assert(ksm_policy_of_label("a").advise, "%s", bad[i]);
	}
}
