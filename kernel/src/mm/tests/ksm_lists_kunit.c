// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of mm/ksm_lists.c: where pages go after a visit, and who is next.
 */
#include <kunit/test.h>

#include "../ksm_lists.h"

static void test_after(struct kunit *test)
{
	/* The first visit takes a checksum, and the second one tries. */
	KUNIT_EXPECT_EQ(test, ksm_list_after(false, false, false, false), KSM_LIST_NEW);
	KUNIT_EXPECT_EQ(test, ksm_list_after(false, true, true, false), KSM_LIST_RESCAN);
	/* Without a probation, the first one tries. */
	KUNIT_EXPECT_EQ(test, ksm_list_after(false, true, false, false), KSM_LIST_RESCAN);
	/* A longer one goes on until the page is tried, or has changed. */
	KUNIT_EXPECT_EQ(test, ksm_list_after(false, false, true, true), KSM_LIST_NEW);
	KUNIT_EXPECT_EQ(test, ksm_list_after(false, false, true, false), KSM_LIST_RESCAN);
	/* What is merged is on none, whenever it was. */
	KUNIT_EXPECT_EQ(test, ksm_list_after(true, false, false, false), KSM_LIST_NONE);
	KUNIT_EXPECT_EQ(test, ksm_list_after(true, true, true, true), KSM_LIST_NONE);
}

static void test_grown(struct kunit *test)
{
	unsigned long seen = 0;

	KUNIT_EXPECT_FALSE(test, ksm_list_grown(KSM_LISTS_GROWTH - 1, &seen));
	KUNIT_EXPECT_TRUE(test, ksm_list_grown(KSM_LISTS_GROWTH, &seen));
	KUNIT_EXPECT_FALSE(test, ksm_list_grown(KSM_LISTS_GROWTH, &seen));
	KUNIT_EXPECT_TRUE(test, ksm_list_grown(1000, &seen));
	KUNIT_EXPECT_FALSE(test, ksm_list_grown(500, &seen));
	KUNIT_EXPECT_FALSE(test, ksm_list_grown(500 + KSM_LISTS_GROWTH - 1, &seen));
	KUNIT_EXPECT_TRUE(test, ksm_list_grown(500 + KSM_LISTS_GROWTH, &seen));
	/* Little by little is growth, too. */
	KUNIT_EXPECT_FALSE(test, ksm_list_grown(seen + KSM_LISTS_GROWTH / 2, &seen));
	KUNIT_EXPECT_TRUE(test, ksm_list_grown(seen + KSM_LISTS_GROWTH, &seen));
	/* Who is large grows by more. */
	seen = 1000 * KSM_LISTS_PART;
	KUNIT_EXPECT_FALSE(test, ksm_list_grown(seen + 900, &seen));
	KUNIT_EXPECT_TRUE(test, ksm_list_grown(seen + 1100, &seen));
}

static void test_halves(struct kunit *test)
{
	struct ksm_lists lists = {};

	KUNIT_EXPECT_EQ(test, ksm_lists_batch(&lists, 100, false), 50);
	KUNIT_EXPECT_EQ(test, ksm_lists_batch(&lists, 1, false), 1);
	KUNIT_EXPECT_EQ(test, ksm_lists_batch(&lists, 0, false), 0);
	KUNIT_EXPECT_EQ(test, ksm_lists_batch(&lists, 100, true), 100);
}

/* Two visits of a page are in two batches. */
static void test_one_pass_in_a_batch(struct kunit *test)
{
	struct ksm_lists lists = {};

	ksm_lists_batch(&lists, 100, false);
	KUNIT_EXPECT_TRUE(test, ksm_lists_begin(&lists, false));
	/* It goes on, as long as it has not ended. */
	KUNIT_EXPECT_TRUE(test, ksm_lists_begin(&lists, false));
	ksm_lists_batch(&lists, 100, false);
	KUNIT_EXPECT_TRUE(test, ksm_lists_begin(&lists, false));
	ksm_lists_end(&lists);
	KUNIT_EXPECT_FALSE(test, ksm_lists_begin(&lists, false));
	ksm_lists_batch(&lists, 100, false);
	KUNIT_EXPECT_TRUE(test, ksm_lists_begin(&lists, false));
	ksm_lists_break(&lists);
	KUNIT_EXPECT_FALSE(test, ksm_lists_begin(&lists, false));
}

/* An epoch is over after a pass that began when rescan was through, and not before. */
static void test_epoch(struct kunit *test)
{
	struct ksm_lists lists = {};

	ksm_lists_batch(&lists, 100, false);
	ksm_lists_begin(&lists, false);
	ksm_lists_end(&lists);
	KUNIT_EXPECT_FALSE(test, lists.through);

	ksm_lists_batch(&lists, 100, false);
	ksm_lists_begin(&lists, false);
	ksm_lists_batch(&lists, 100, true);
	/* It was under way when rescan came to its end. */
	ksm_lists_begin(&lists, true);
	ksm_lists_end(&lists);
	KUNIT_EXPECT_FALSE(test, lists.through);

	ksm_lists_batch(&lists, 100, true);
	ksm_lists_begin(&lists, true);
	ksm_lists_break(&lists);
	KUNIT_EXPECT_FALSE(test, lists.through);

	ksm_lists_batch(&lists, 100, true);
	ksm_lists_begin(&lists, true);
	ksm_lists_end(&lists);
	KUNIT_EXPECT_TRUE(test, lists.through);

	/* A pass of the epoch before says nothing of this one. */
	ksm_lists_batch(&lists, 100, true);
	ksm_lists_begin(&lists, true);
	ksm_lists_epoch(&lists);
	KUNIT_EXPECT_FALSE(test, lists.through);
	ksm_lists_end(&lists);
	KUNIT_EXPECT_FALSE(test, lists.through);
}

static struct kunit_case ksm_lists_cases[] = {
	KUNIT_CASE(test_after),
	KUNIT_CASE(test_grown),
	KUNIT_CASE(test_halves),
	KUNIT_CASE(test_one_pass_in_a_batch),
	KUNIT_CASE(test_epoch),
	{}
};

static struct kunit_suite ksm_lists_suite = {
	.name = "ksm_lists",
	.test_cases = ksm_lists_cases,
};

kunit_test_suite(ksm_lists_suite);

MODULE_DESCRIPTION("KUnit tests of the work lists of KSM");
MODULE_LICENSE("GPL");
