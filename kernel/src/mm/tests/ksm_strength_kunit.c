// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of mm/ksm_strength.c: which level it comes to, and how often it tries others.
 */
#include <kunit/test.h>

#include "../ksm_strength.h"

#define EPOCHS 400

/* Memory, of which so many visits in a thousand go wrong at each level. */
struct memory {
	u32 visits;
	u32 merged;
	u32 collisions[KSM_HASH_TOP + 1];
	u32 rewrites[KSM_HASH_TOP + 1];
};

/* Let full scans pass, and count those in which each level was used. */
static void scan(struct ksm_strength *strength, const struct memory *memory,
		 unsigned int epochs, unsigned int *used)
{
	unsigned int i;
	u8 level;

	memset(used, 0, (KSM_HASH_TOP + 1) * sizeof(*used));
	for (i = 0; i < epochs; i++) {
		level = strength->level;
		used[level]++;
		strength->visits += memory->visits;
		strength->collisions += memory->visits / 1000 * memory->collisions[level];
		strength->rewrites += memory->visits / 1000 * memory->rewrites[level];
		ksm_strength_judge(strength, memory->merged);
	}
}

/* Without mistakes, few words are as good as many, and cheaper. */
static void test_no_mistakes(struct kunit *test)
{
	struct memory memory = { .visits = 10000 };
	unsigned int used[KSM_HASH_TOP + 1];
	struct ksm_strength strength;

	ksm_strength_init(&strength, KSM_HASH_TOP);
	scan(&strength, &memory, 2 * KSM_HASH_TOP + 2, used);
	KUNIT_EXPECT_EQ(test, strength.level, 0);
	scan(&strength, &memory, EPOCHS, used);
	KUNIT_EXPECT_EQ(test, used[0], EPOCHS);
}

/* Collisions below a level are met while it is tried only, ever more rarely. */
static void test_collisions(struct kunit *test)
{
	struct memory memory = { .visits = 10000, .collisions = { 900, 900, 900, 900 } };
	unsigned int used[KSM_HASH_TOP + 1];
	struct ksm_strength strength;
	u8 begin;

	for (begin = 0; begin <= KSM_HASH_TOP; begin++) {
		ksm_strength_init(&strength, begin);
		scan(&strength, &memory, 20, used);
		scan(&strength, &memory, EPOCHS, used);
		KUNIT_EXPECT_GT(test, used[4], EPOCHS * 9 / 10);
		KUNIT_EXPECT_EQ(test, used[0] + used[1] + used[2], 0);
	}
}

/* What is rewritten at all levels alike is no reason to read more words. */
static void test_rewritten_anyway(struct kunit *test)
{
	struct memory memory = {
		.visits = 10000,
		.rewrites = { 5, 5, 5, 5, 5, 5, 5 },
	};
	unsigned int used[KSM_HASH_TOP + 1];
	struct ksm_strength strength;

	ksm_strength_init(&strength, KSM_HASH_TOP);
	scan(&strength, &memory, 60, used);
	scan(&strength, &memory, EPOCHS, used);
	KUNIT_EXPECT_GT(test, used[0] + used[1], EPOCHS * 9 / 10);
	KUNIT_EXPECT_EQ(test, used[5] + used[6], 0);
}

/* What is rewritten because of too few words is one. */
static void test_rewritten(struct kunit *test)
{
	struct memory memory = {
		.visits = 10000,
		.rewrites = { 300, 300, 300, 5, 5, 5, 5 },
	};
	unsigned int used[KSM_HASH_TOP + 1];
	struct ksm_strength strength;

	ksm_strength_init(&strength, KSM_HASH_TOP);
	scan(&strength, &memory, 60, used);
	scan(&strength, &memory, EPOCHS, used);
	KUNIT_EXPECT_GT(test, used[3] + used[4], EPOCHS * 9 / 10);
	ksm_strength_init(&strength, 0);
	scan(&strength, &memory, 60, used);
	scan(&strength, &memory, EPOCHS, used);
	KUNIT_EXPECT_GT(test, used[3] + used[4], EPOCHS * 9 / 10);
}

/* Where each search ends in vain, one full scan is enough to see it. */
static void test_many_collisions(struct kunit *test)
{
	struct memory memory = {
		.visits = 10000,
		.collisions = { 30000, 30000, 30000, 30000, 30000, 30000, 0 },
	};
	unsigned int used[KSM_HASH_TOP + 1];
	struct ksm_strength strength;

	ksm_strength_init(&strength, 1);
	scan(&strength, &memory, 2, used);
	KUNIT_EXPECT_EQ(test, strength.level, KSM_HASH_TOP);
}

/* Memory that changes its ways is followed. */
static void test_change(struct kunit *test)
{
	struct memory memory = { .visits = 10000 };
	unsigned int used[KSM_HASH_TOP + 1], i;
	struct ksm_strength strength;

	ksm_strength_init(&strength, KSM_HASH_TOP);
	scan(&strength, &memory, EPOCHS, used);
	KUNIT_EXPECT_EQ(test, strength.level, 0);
	for (i = 0; i < 5; i++)
		memory.collisions[i] = 2000;
	scan(&strength, &memory, 12, used);
	KUNIT_EXPECT_EQ(test, strength.level, 5);
	memset(memory.collisions, 0, sizeof(memory.collisions));
	scan(&strength, &memory, EPOCHS, used);
	KUNIT_EXPECT_EQ(test, strength.level, 0);
}

/* What was known of all levels is of no use when other memory has come. */
static void test_other_memory(struct kunit *test)
{
	struct memory memory = { .visits = 10000 };
	unsigned int used[KSM_HASH_TOP + 1], i;
	struct ksm_strength strength;

	ksm_strength_init(&strength, KSM_HASH_TOP);
	scan(&strength, &memory, 2 * KSM_HASH_TOP + 1, used);
	KUNIT_EXPECT_EQ(test, strength.level, 0);
	for (i = 0; i < KSM_HASH_TOP; i++)
		memory.collisions[i] = 11000;
	scan(&strength, &memory, 2, used);
	KUNIT_EXPECT_EQ(test, strength.level, KSM_HASH_TOP);
	scan(&strength, &memory, EPOCHS, used);
	KUNIT_EXPECT_GT(test, used[KSM_HASH_TOP], EPOCHS * 9 / 10);
}

/* It takes visits to know anything, and more to pay for the checksums of what is merged. */
static void test_repay(struct kunit *test)
{
	struct memory memory = { .visits = KSM_STRENGTH_VISITS / 4 };
	unsigned int used[KSM_HASH_TOP + 1];
	struct ksm_strength strength;

	ksm_strength_init(&strength, KSM_HASH_TOP);
	scan(&strength, &memory, 4, used);
	KUNIT_EXPECT_EQ(test, used[KSM_HASH_TOP], 4);
	KUNIT_EXPECT_EQ(test, strength.level, KSM_HASH_TOP - 1);

	ksm_strength_init(&strength, KSM_HASH_TOP);
	memory.visits = 10000;
	memory.merged = 25000;
	scan(&strength, &memory, 9, used);
	KUNIT_EXPECT_EQ(test, strength.level, KSM_HASH_TOP);
	scan(&strength, &memory, 1, used);
	KUNIT_EXPECT_EQ(test, strength.level, KSM_HASH_TOP - 1);
}

/* Counts that cannot be do no harm. */
static void test_bounds(struct kunit *test)
{
	struct ksm_strength strength;

	ksm_strength_init(&strength, 3);
	strength.visits = KSM_STRENGTH_VISITS;
	strength.collisions = U32_MAX;
	strength.rewrites = U32_MAX;
	KUNIT_EXPECT_EQ(test, ksm_strength_judge(&strength, 0), KSM_HASH_TOP);
	KUNIT_EXPECT_EQ(test, strength.visits, 0);
}

static struct kunit_case ksm_strength_cases[] = {
	KUNIT_CASE(test_no_mistakes),
	KUNIT_CASE(test_collisions),
	KUNIT_CASE(test_rewritten_anyway),
	KUNIT_CASE(test_rewritten),
	KUNIT_CASE(test_many_collisions),
	KUNIT_CASE(test_change),
	KUNIT_CASE(test_other_memory),
	KUNIT_CASE(test_repay),
	KUNIT_CASE(test_bounds),
	{}
};

static struct kunit_suite ksm_strength_suite = {
	.name = "ksm_strength",
	.test_cases = ksm_strength_cases,
};

kunit_test_suite(ksm_strength_suite);

MODULE_DESCRIPTION("KUnit tests of the strength of KSM's checksums");
MODULE_LICENSE("GPL");
