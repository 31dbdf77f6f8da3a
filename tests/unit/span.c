/* SPDX-License-Identifier: BSD-2-Clause */
#include "slot/slot.h"
#include "layout/span.h"

#include <criterion/criterion.h>
#include <sys/wait.h>
#include <unistd.h>

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

/*
 * Whether the span lies where it should for a mapping at probe: the base is drawn by chance, so it is drawn in many
 * processes.
 */
static void expect_in_children(uintptr_t probe, bool (*lies_right)(uintptr_t probe))
{
	for (int i = 0; i < 200; i++) {
		int status = 1;
		pid_t child = fork();

		if (child == 0) {
			ksm_span_init((void *)probe);
			ksm_span_open();
			_exit(lies_right(probe) ? 0 : 1);
		}
		cr_assert(waitpid(child, &status, 0) == child && status == 0);
	}
}

static bool is_above(uintptr_t probe)
{
	return ksm_gate.low > probe && ksm_gate.end < (uintptr_t)&owner;
}

static bool is_below(uintptr_t probe)
{
	return ksm_gate.end < probe;
}

/* The probe lies so low under an unlimited stack: the kernel goes downwards from there. */
Test(span, lies_above_mappings_that_lie_too_low)
{
	expect_in_children(20 * KSM_TIB, is_above);
}

Test(span, lies_below_mappings_that_lie_high_enough)
{
	expect_in_children(42 * KSM_TIB, is_below);
}

/* --- rows ----------------------------------------------------------------------------------- */

static void start(void)
{
	ksm_span_init((void *)UINTPTR_MAX);
	ksm_span_open();
}

Test(span, rows_are_side_by_side_and_nobodys_until_they_are_owned)
{
	uintptr_t slot = UINT64_C(1) << 30;
	uint32_t probe = 0;
	uintptr_t row;

	start();
	row = ksm_span_claim_row(42, 3, &probe);
	cr_assert_neq(row, 0);
	for (uintptr_t i = 0; i < 3; i++)
		cr_assert_null(ksm_span_slot_at((void *)(row + i * slot)));
	ksm_span_own(row + slot, &owner);
	cr_assert_eq(ksm_span_slot_at((char *)row + slot + 5), &owner);
	ksm_span_give_back_row(row, 3);
	cr_assert_null(ksm_span_slot_at((char *)row + slot + 5));
}

Test(span, a_row_that_was_given_back_is_the_next_ones_and_no_pools)
{
	uint32_t slots, taken = 0, probe = 0, again = 0, pool = 0;
	uintptr_t row;

	start();
	slots = (uint32_t)((ksm_gate.end - ksm_gate.low) >> ksm_span_slot_shift());
	row = ksm_span_claim_row(42, 2, &probe);
	ksm_span_give_back_row(row, 2);
	while (ksm_span_claim(7, 0, &pool, &owner))
		taken++;
	cr_assert_eq(taken, slots - 2);
	cr_assert_eq(ksm_span_claim_row(42, 2, &again), row);
	cr_assert_eq(again, 1);
}

Test(span, rows_leave_the_first_slots_to_pools)
{
	uint32_t slots, rows = 0, probe = 0, pool = 0;
	uintptr_t row;

	start();
	slots = (uint32_t)((ksm_gate.end - ksm_gate.low) >> ksm_span_slot_shift());
	while ((row = ksm_span_claim_row(1, 1, &probe)) != 0) {
		cr_assert_geq(row, ksm_gate.low + ((uintptr_t)slots / 8 * 3 << ksm_span_slot_shift()));
		rows++;
	}
	cr_assert_eq(rows, slots / 8 * 5);
	cr_assert_neq(ksm_span_claim(7, 0, &pool, &owner), 0);
}

Test(span, rows_of_all_lengths_fit_or_are_refused)
{
	uint32_t slots;

	start();
	slots = (uint32_t)((ksm_gate.end - ksm_gate.low) >> ksm_span_slot_shift());
	for (uint32_t count = 1; count <= slots; count += 1 + count / 7) {
		uint32_t probe = 0;
		uintptr_t row = ksm_span_claim_row(count, count, &probe);

		cr_assert_eq(row != 0, count <= slots / 2, "%u", count);
		if (!row)
			continue;
		cr_assert_geq(row, ksm_gate.low);
		cr_assert_leq(row + ((uintptr_t)count << ksm_span_slot_shift()), ksm_gate.end);
		ksm_span_give_back_row(row, count);
	}
}

Test(span, the_usual_place_of_a_row_is_where_it_lies)
{
	/* In a process of the private layout nobody knows its own secret: all that can be seen is that it is of the window. */
	uintptr_t slot = UINT64_C(1) << 30, slots = KSM_SPAN_SLOTS;

	start();
	for (uint32_t count = 1; count <= slots; count *= 2) {
		uint64_t offset = ksm_span_usual_offset_of_row(1, 2, count);

		cr_assert_eq(offset % slot, 0);
		cr_assert_geq(offset, slots / 8 * 3 * slot * (count <= slots / 2));
		cr_assert_leq(offset + count * slot, slots * slot);
	}
}
