// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of mm/ksm_account.c: what is made of the times of a few turns.
 */
#include <kunit/test.h>

#include "../ksm_account.h"

/* Let turns pass until one is timed, and start its clock. */
static unsigned int wait_for_clock(struct ksm_account *account, u64 now)
{
	unsigned int turns = 1;

	while (!ksm_account_begin(account))
		turns++;
	ksm_account_start(account, now);
	return turns;
}

static void enter(struct ksm_account *account, enum ksm_stage stage, u64 now)
{
	ksm_account_charge(account, now);
	account->stage = stage;
}

static void test_one_in_many(struct kunit *test)
{
	struct ksm_account account = {};

	KUNIT_EXPECT_EQ(test, wait_for_clock(&account, 1000), KSM_ACCOUNT_EVERY);
	KUNIT_EXPECT_TRUE(test, account.timed);
	ksm_account_end(&account, 1010, false);
	KUNIT_EXPECT_FALSE(test, account.timed);
	KUNIT_EXPECT_EQ(test, account.total[KSM_STAGE_WALK],
			10ULL * KSM_ACCOUNT_EVERY);
	KUNIT_EXPECT_EQ(test, wait_for_clock(&account, 0), KSM_ACCOUNT_EVERY);
}

static void test_stages(struct kunit *test)
{
	struct ksm_account account = {};

	wait_for_clock(&account, 100);
	enter(&account, KSM_STAGE_HASH, 101);
	enter(&account, KSM_STAGE_LOOKUP, 103);
	enter(&account, KSM_STAGE_COMPARE, 107);
	enter(&account, KSM_STAGE_LOOKUP, 115);
	enter(&account, KSM_STAGE_MERGE, 131);
	ksm_account_end(&account, 163, false);
	KUNIT_EXPECT_EQ(test, account.total[KSM_STAGE_WALK],
			1ULL * KSM_ACCOUNT_EVERY);
	KUNIT_EXPECT_EQ(test, account.total[KSM_STAGE_HASH],
			2ULL * KSM_ACCOUNT_EVERY);
	KUNIT_EXPECT_EQ(test, account.total[KSM_STAGE_LOOKUP],
			20ULL * KSM_ACCOUNT_EVERY);
	KUNIT_EXPECT_EQ(test, account.total[KSM_STAGE_COMPARE],
			8ULL * KSM_ACCOUNT_EVERY);
	KUNIT_EXPECT_EQ(test, account.total[KSM_STAGE_MERGE],
			32ULL * KSM_ACCOUNT_EVERY);
}

/* What a disturbed turn took is not counted, and the next one stands for it. */
static void test_disturbed(struct kunit *test)
{
	struct ksm_account account = {};

	wait_for_clock(&account, 0);
	ksm_account_end(&account, 1000000, true);
	KUNIT_EXPECT_EQ(test, account.total[KSM_STAGE_WALK], 0ULL);
	KUNIT_EXPECT_EQ(test, wait_for_clock(&account, 50), 1U);
	ksm_account_end(&account, 60, false);
	KUNIT_EXPECT_EQ(test, account.total[KSM_STAGE_WALK],
			10ULL * (KSM_ACCOUNT_EVERY + 1));
}

/* A clock that goes back takes nothing away. */
static void test_clock_back(struct kunit *test)
{
	struct ksm_account account = {};

	wait_for_clock(&account, 100);
	enter(&account, KSM_STAGE_HASH, 90);
	ksm_account_end(&account, 95, false);
	KUNIT_EXPECT_EQ(test, account.total[KSM_STAGE_WALK], 0ULL);
	KUNIT_EXPECT_EQ(test, account.total[KSM_STAGE_HASH],
			5ULL * KSM_ACCOUNT_EVERY);
}

static struct kunit_case ksm_account_cases[] = {
	KUNIT_CASE(test_one_in_many),
	KUNIT_CASE(test_stages),
	KUNIT_CASE(test_disturbed),
	KUNIT_CASE(test_clock_back),
	{}
};

static struct kunit_suite ksm_account_suite = {
	.name = "ksm_account",
	.test_cases = ksm_account_cases,
};

kunit_test_suite(ksm_account_suite);

MODULE_DESCRIPTION("KUnit tests of the account of KSM's time");
MODULE_LICENSE("GPL");
