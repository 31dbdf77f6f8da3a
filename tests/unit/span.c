/* SPDX-License-Identifier: BSD-2-Clause */
#include "slot.h"
#include "span.h"

#include <criterion/criterion.h>

static struct ksm_slot owner;

Test(span, nothing_is_held_before_the_start)
{
	cr_assert_not(ksm_span_holds(&owner));
	cr_assert_not(ksm_span_may_hold(NULL));
}

Test(span, slots_are_aligned_and_apart)
{
	uint32_t probe = 0;
	uintptr_t last = 0;

	ksm_span_init((void *)UINTPTR_MAX);
	ksm_span_open();
	for (int i = 0; i < 600; i++) {
		uintptr_t slot = ksm_span_claim(42, 0, &probe, &owner);

		cr_assert_neq(slot, 0);
		cr_assert_neq(slot, last);
		cr_assert_eq(slot & ((UINT64_C(1) << ksm_span_slot_shift()) - 1), 0);
		cr_assert(ksm_span_holds((void *)slot));
		cr_assert_eq(ksm_span_slot_at((char *)slot + 12345), &owner);
		last = slot;
	}
}

Test(span, every_slot_can_be_had_and_no_more)
{
	uint32_t slots;
	uint32_t taken = 0;
	uint32_t probe = 0;

	ksm_span_init((void *)UINTPTR_MAX);
	ksm_span_open();
	slots = (uint32_t)((ksm_gate.end - ksm_gate.low) >> ksm_span_slot_shift());
	while (ksm_span_claim(7, 0, &probe, &owner))
		taken++;
	cr_assert_eq(taken, slots);
}

Test(span, an_abandoned_slot_has_no_owner_and_is_not_given_again)
{
	uint32_t probe = 0;
	uintptr_t slot;

	ksm_span_init((void *)UINTPTR_MAX);
	ksm_span_open();
	slot = ksm_span_claim(7, 0, &probe, &owner);
	ksm_span_abandon(slot);
	cr_assert_null(ksm_span_slot_at((void *)slot));
	probe = 0;
	cr_assert_neq(ksm_span_claim(7, 0, &probe, &owner), slot);
}

Test(span, the_stack_and_the_heap_lie_outside)
{
	int local;

	ksm_span_init((void *)UINTPTR_MAX);
	ksm_span_open();
	cr_assert_not(ksm_span_holds(&local));
	cr_assert_not(ksm_span_holds(&owner));
	cr_assert_not(ksm_span_may_hold(&local), "free() of what lies above takes the short path");
}

/* The probe lies so low under an unlimited stack: the kernel goes downwards from there. */
Test(span, lies_above_mappings_that_lie_too_low)
{
	ksm_span_init((void *)(uintptr_t)(20 * KSM_TIB));
	ksm_span_open();
	cr_assert_gt(ksm_gate.low, 20 * KSM_TIB, "a mapping is taken for a slot's");
	cr_assert_lt(ksm_gate.end, (uintptr_t)&owner, "and so is the program");
}

Test(span, lies_below_mappings_that_lie_high_enough)
{
	ksm_span_init((void *)(uintptr_t)(42 * KSM_TIB));
	ksm_span_open();
	cr_assert_lt(ksm_gate.end, 42 * KSM_TIB);
}
