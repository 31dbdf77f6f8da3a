/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of anchors: each counts once, those whose fingerprints collide count as one, and there is an end to them. */
#include "arena/anchor.h"

#include "layout/history.h"
#include "layout/layout.h"
#include "system/option.h"
#include "segment/stat.h"
#include "layout/stream.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct ksmalloc_history *history;

/* Without a seed names are hashed with 0. */
static void start(void)
{
	extern bool ksm_layout_shared;

	ksm_layout_shared = true;
	ksm_options.anchors = true;
	ksm_history_init();
	history = ksm_history();
	cr_assert_not_null(history);
	cr_assert_eq(ksm_stat_init(), 0);
	ksm_stream_start_thread(0);
}

TestSuite(anchor, .init = start, .timeout = KSM_CASE_SECONDS);

/* True if the name was followed. */
static bool pass(const char *name)
{
	uint32_t before = history->count;

	ksm_stream_self.is_due = false;
	ksm_anchor_pass(name, strlen(name), false);
	cr_assert_eq(history->count - before, ksm_stream_self.is_due, "what is followed is noted");
	return ksm_stream_self.is_due;
}

Test(anchor, a_name_counts_once)
{
	cr_assert(pass("one"));
	cr_assert(pass("two"));
	cr_assert_not(pass("one"));
	cr_assert_not(pass("two"));
	cr_assert(pass("on"));
}

/* Found by trying 12 million names: their fingerprints are equal, and so are their places in the set. */
static const char *const colliding[][2] = {
	{ "file-3063462", "file-11884307" },
	{ "file-4291204", "file-8325672" },
	{ "file-4956631", "file-9762659" },
};

/* So it is in all processes of a group: which of the two came first does not matter for what comes after. */
Test(anchor, names_that_collide_count_as_one)
{
	for (size_t i = 0; i < KSM_COUNT_OF(colliding); i++) {
		cr_assert(pass(colliding[i][0]));
		cr_assert_not(pass(colliding[i][1]), "%s", colliding[i][1]);
		cr_assert_not(pass(colliding[i][0]));
	}
	cr_assert(pass("file-3063463"));
	cr_assert_eq(ksm_stat->header.bounds.anchors_dropped_total, 0, "they are not too many");
}

Test(anchor, names_that_collide_count_as_one_in_the_other_order)
{
	cr_assert(pass(colliding[0][1]));
	cr_assert_not(pass(colliding[0][0]));
}

/* With thousands of names many have their place in the set in common, and go to the next free one. */
Test(anchor, names_of_one_place_are_told_apart_up_to_the_end)
{
	char name[32];

	for (uint32_t i = 0; i < KSMALLOC_ANCHORS_APART; i++) {
		snprintf(name, sizeof(name), "name-%u", i);
		ksm_stream_self.is_due = false;
		ksm_anchor_pass(name, strlen(name), false);
		cr_assert(ksm_stream_self.is_due, "%s", name);
	}
	cr_assert_eq(ksm_stat->header.bounds.anchors_dropped_total, 0);
	for (uint32_t i = 0; i < KSMALLOC_ANCHORS_APART; i++) {
		snprintf(name, sizeof(name), "name-%u", i);
		ksm_stream_self.is_due = false;
		ksm_anchor_pass(name, strlen(name), false);
		cr_assert_not(ksm_stream_self.is_due, "%s", name);
	}
	cr_assert_eq(ksm_stat->header.bounds.anchors_dropped_total, 0, "names that are known are not dropped");
	cr_assert_not(pass("one more"));
	cr_assert_not(pass("one more"));
	cr_assert_eq(ksm_stat->header.bounds.anchors_dropped_total, 2);
}

Test(anchor, the_start_is_left_once)
{
	ksm_anchor_leave_start();
	cr_assert(ksm_stream_self.is_due);
	cr_assert(ksm_stream_self.has_left_start);
	cr_assert_eq(history->count, 1);
	ksm_stream_self.is_due = false;
	ksm_anchor_leave_start();
	cr_assert_not(ksm_stream_self.is_due);
	cr_assert_eq(history->count, 1);
}

/* A child's memory is another one already. */
Test(anchor, the_child_of_a_fork_has_no_start_to_leave)
{
	ksm_anchor_leave_start();
	ksm_stream_enter_child();
	cr_assert_not(ksm_stream_self.has_left_start);
	ksm_stream_self.is_due = false;
	ksm_anchor_leave_start();
	cr_assert_not(ksm_stream_self.is_due);
	cr_assert_not(ksm_stream_self.has_left_start);
}

Test(anchor, without_anchors_the_start_is_not_left)
{
	ksm_options.anchors = false;
	ksm_anchor_leave_start();
	cr_assert_not(ksm_stream_self.is_due);
	cr_assert_not(ksm_stream_self.has_left_start);
}
