/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which mappings may be shared, and where they lie in files; the program's own are, as far as the test says. And which pages a
 * pass leaves alone for the stack that it runs on: these, and not all that lies beside them.
 */
#include "pass/memory.h"

#include "layout/layout.h"
#include "layout/span.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

#define END (UINT64_C(1) << KSM_ADDRESS_BITS)
#define FAR (300 * KSM_KIB) /* more than a pass takes */

bool __wrap_ksm_mapping_are_shared(void);
bool __wrap_ksm_mapping_are_shared(void)
{
	return true;
}

static void setup(void)
{
	extern bool ksm_layout_shared __attribute__((visibility("hidden")));

	ksm_layout_shared = true;
	ksm_span_init((void *)UINTPTR_MAX);
}

TestSuite(pass_memory, .init = setup);

/* Wherever the kernel puts them, which goes downwards from the end. */
Test(pass_memory, mappings_are_shared_up_to_the_end_of_addresses)
{
	const struct ksm_os_mapping mapping = { .begin = END - 3 * KSM_SHARE_SLICE, .end = END - KSM_PAGE, .name = "",
						.rights = PROT_READ | PROT_WRITE, .is_private = true };
	struct ksm_region_range part;

	cr_assert(ksm_pass_memory_find_part(&mapping, &part));
	cr_assert_eq(part.begin, mapping.begin);
	cr_assert_eq(part.end, mapping.end);
}

Test(pass_memory, each_slice_of_the_address_space_has_a_place_of_its_own_in_files)
{
	const uintptr_t slices[] = { 0, ksm_span_map.base - KSM_SHARE_SLICE, ksm_span_map.base, END - KSM_SHARE_SLICE };
	uint64_t places[KSM_COUNT_OF(slices)];

	for (size_t i = 0; i < KSM_COUNT_OF(slices); i++) {
		cr_assert(ksm_pass_memory_place(slices[i], &places[i]));
		cr_assert_leq(places[i] + KSM_SHARE_SLICE, ksm_pass_memory_places(), "%lx", slices[i]);
		for (size_t k = 0; k < i; k++)
			cr_assert_neq(places[i], places[k]);
	}
}

/* True if this page, which may be shared, keeps its slice from being looked at; or, without a page, all others than those nearby. */
static bool is_held(uintptr_t page, bool others)
{
	uintptr_t slice = ksm_align_down(page, KSM_SHARE_SLICE);
	struct ksm_share_set touched;

	memset(&touched, 0, sizeof(touched));
	if (others) {
		ksm_share_add_range(&touched, slice, slice, page - FAR);
		ksm_share_add_range(&touched, slice, page + FAR, slice + KSM_SHARE_SLICE);
	} else {
		ksm_share_add_range(&touched, slice, page, page + KSM_PAGE);
	}
	return ksm_pass_memory_holds_stack(slice, &touched);
}

Test(pass_memory, a_slice_is_left_alone_for_pages_of_the_stack_that_may_be_shared)
{
	uintptr_t here = ksm_align_down((uintptr_t)__builtin_frame_address(0), KSM_PAGE);

	cr_assert(is_held(here - KSM_PAGE, false), "what is called from here writes there");
	cr_assert(is_held(here - 20 * KSM_PAGE, false));
	cr_assert(is_held(here + KSM_PAGE, false), "what has called has variables there, which are written to meanwhile");
	cr_assert_not(is_held(here - FAR, false));
	cr_assert_not(is_held(here + FAR, false));
	cr_assert_not(is_held(here, true), "as beside the stack of a keeper's call");
}
