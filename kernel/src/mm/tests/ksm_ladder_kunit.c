// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of mm/ksm_ladder.c: when a site sinks and rises, and which pages are visited.
 */
#include <kunit/test.h>

#include "../ksm_ladder.h"

/* Of no hash that a site of the running system is likely to have. */
#define SITE 0xabcdef123456ULL
#define LOWEST (KSM_LADDER_RUNGS - 1)

/* So many visits, of which so many find a merged page: an epoch. Return: the rung. */
static unsigned int epoch(struct ksm_ladder *ladder, unsigned int visits,
			  unsigned int merged)
{
	unsigned int i;

	for (i = 0; i < visits; i++)
		ksm_ladder_visited(ladder, i < merged);
	return ksm_ladder_turn(ladder, ladder->epoch + 1);
}

static void sink(struct ksm_ladder *ladder)
{
	int i;

	for (i = 0; i < KSM_LADDER_RUNGS * KSM_LADDER_POOR; i++)
		epoch(ladder, 100, 0);
}

/* It sinks by a rung after some poor epochs, and not below the lowest. */
static void test_sinks(struct kunit *test)
{
	struct ksm_ladder ladder = { .users = 1 };
	unsigned int rung, i;

	for (rung = 0; rung < LOWEST; rung++) {
		for (i = 0; i < KSM_LADDER_POOR - 1; i++)
			KUNIT_EXPECT_EQ(test, epoch(&ladder, 100, 0), rung);
		KUNIT_EXPECT_EQ(test, epoch(&ladder, 100, 0), rung + 1);
	}
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, epoch(&ladder, 100, 0), LOWEST);
}

/* A yield that is just good enough keeps it, and poor epochs count in a row only. */
static void test_yield(struct kunit *test)
{
	struct ksm_ladder ladder = { .users = 1 };
	unsigned int i, good = 10, visits = good * KSM_LADDER_YIELD;

	for (i = 0; i < 20; i++)
		KUNIT_EXPECT_EQ(test, epoch(&ladder, visits, good), 0);
	for (i = 0; i < 20; i++)
		KUNIT_EXPECT_EQ(test, epoch(&ladder, visits, i % KSM_LADDER_POOR ?
					    good : good - 1), 0);
	for (i = 0; i < KSM_LADDER_POOR; i++)
		epoch(&ladder, visits, good - 1);
	KUNIT_EXPECT_EQ(test, ladder.rung, 1);
}

/* Nothing is said by an epoch before it is over, nor by a few visits. */
static void test_when(struct kunit *test)
{
	struct ksm_ladder ladder = { .users = 1 };
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		ksm_ladder_visited(&ladder, false);
		KUNIT_EXPECT_EQ(test, ksm_ladder_turn(&ladder, 0), 0);
	}
	ksm_ladder_turn(&ladder, 1);
	KUNIT_EXPECT_EQ(test, ladder.poor, 1);

	ladder = (struct ksm_ladder){ .users = 1 };
	for (i = 0; i < KSM_LADDER_MIN - 1; i++) {
		epoch(&ladder, 1, 0);
		KUNIT_EXPECT_EQ(test, ladder.poor, 0);
	}
	epoch(&ladder, 1, 0);
	KUNIT_EXPECT_EQ(test, ladder.poor, 1);
	/* An epoch without any visit says nothing either. */
	for (i = 0; i < 10; i++)
		epoch(&ladder, 0, 0);
	KUNIT_EXPECT_EQ(test, ladder.poor, 1);
}

/* It rises at once when its samples are merged, by one rung for each of them. */
static void test_rises(struct kunit *test)
{
	struct ksm_ladder ladder = { .users = 1 };
	unsigned int i, rung;

	sink(&ladder);
	KUNIT_ASSERT_EQ(test, ladder.rung, LOWEST);
	for (rung = LOWEST; rung; rung--) {
		ksm_ladder_visited(&ladder, false);
		ksm_ladder_merged(&ladder);
		KUNIT_EXPECT_EQ(test, ksm_ladder_turn(&ladder, ladder.epoch),
				rung - 1);
	}
	ksm_ladder_merged(&ladder);
	KUNIT_EXPECT_EQ(test, ladder.rung, 0);

	/* One page among many is not enough. */
	sink(&ladder);
	for (i = 0; i < KSM_LADDER_YIELD + 1; i++)
		ksm_ladder_visited(&ladder, false);
	ksm_ladder_merged(&ladder);
	KUNIT_EXPECT_EQ(test, ladder.rung, LOWEST);
	ksm_ladder_merged(&ladder);
	KUNIT_EXPECT_EQ(test, ladder.rung, LOWEST - 1);

	/* What is found merged counts at the end of the epoch. */
	sink(&ladder);
	KUNIT_EXPECT_EQ(test, epoch(&ladder, 100, 50), LOWEST - 1);
	KUNIT_EXPECT_EQ(test, epoch(&ladder, 100, 50), LOWEST - 2);
}

/* Merges that do not last are worth nothing, and less. */
static void test_broken(struct kunit *test)
{
	struct ksm_ladder ladder = { .users = 1 };
	unsigned int i, j;

	for (i = 0; i < KSM_LADDER_POOR; i++) {
		for (j = 0; j < 100; j++) {
			ksm_ladder_broken(&ladder);
			ksm_ladder_merged(&ladder);
		}
		epoch(&ladder, 200, 100);
	}
	KUNIT_EXPECT_EQ(test, ladder.rung, 1);
	ksm_ladder_broken(&ladder);
	for (i = 0; i < KSM_LADDER_BROKEN; i++) {
		ksm_ladder_merged(&ladder);
		KUNIT_EXPECT_EQ(test, ladder.rung, 1);
	}
	ksm_ladder_merged(&ladder);
	KUNIT_EXPECT_EQ(test, ladder.rung, 0);
}

static void put_ladder(void *ladder)
{
	ksm_ladder_put(ladder);
}

static struct ksm_ladder *get_ladder(struct kunit *test, u64 site, u64 scope)
{
	struct ksm_ladder *ladder = ksm_ladder_get(site, scope);

	KUNIT_ASSERT_NOT_NULL(test, ladder);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_ladder, ladder), 0);
	return ladder;
}

/* All processes of a site share its ladder, and one that comes is a new chance. */
static void test_shared(struct kunit *test)
{
	struct ksm_ladder *ladder = get_ladder(test, SITE, 1);

	sink(ladder);
	KUNIT_EXPECT_PTR_NE(test, get_ladder(test, SITE, 2), ladder);
	KUNIT_EXPECT_PTR_NE(test, get_ladder(test, SITE + 1, 1), ladder);
	KUNIT_EXPECT_EQ(test, ksm_ladder_turn(ladder, 50), LOWEST);

	KUNIT_EXPECT_PTR_EQ(test, ksm_ladder_get(SITE, 1), ladder);
	KUNIT_EXPECT_EQ(test, ksm_ladder_turn(ladder, 50), 0);
	sink(ladder);
	KUNIT_EXPECT_EQ(test, ladder->rung, LOWEST);
	/* One for one who has left is none more. */
	ksm_ladder_put(ladder);
	KUNIT_EXPECT_PTR_EQ(test, ksm_ladder_get(SITE, 1), ladder);
	KUNIT_EXPECT_EQ(test, ksm_ladder_turn(ladder, 90), LOWEST);
	ksm_ladder_put(ladder);
}

/* Whoever has none has no evidence. */
static void test_none(struct kunit *test)
{
	ksm_ladder_visited(NULL, true);
	ksm_ladder_merged(NULL);
	ksm_ladder_broken(NULL);
	ksm_ladder_put(NULL);
}

/* Each page comes once in each round, and about as many in each epoch. */
static void test_takes(struct kunit *test)
{
	unsigned int rung, times, taken, part;
	unsigned long place;
	u32 epoch, round;

	for (rung = 0; rung < KSM_LADDER_RUNGS; rung++) {
		round = 1 << (rung * KSM_LADDER_SHIFT);
		for (place = 0; place < 256; place++) {
			times = 0;
			for (epoch = 7 * round; epoch < 8 * round; epoch++)
				times += ksm_ladder_takes(rung, place, epoch);
			KUNIT_EXPECT_EQ(test, times, 1);
		}
		part = 4096 / round;
		for (epoch = 0; epoch < 2 * round; epoch++) {
			taken = 0;
			for (place = 0; place < 4096; place++)
				taken += ksm_ladder_takes(rung, place, epoch);
			KUNIT_EXPECT_GE(test, taken, part * 3 / 4);
			KUNIT_EXPECT_LE(test, taken, part * 5 / 4);
		}
	}
}

/* Any two pages come in the same epoch before long, neighbours too. */
static void test_meet(struct kunit *test)
{
	unsigned long one, other;
	u32 epoch;

	for (one = 0; one < 40; one++) {
		for (other = one + 1; other < 80; other++) {
			for (epoch = 0; epoch < 16 * 256; epoch++) {
				if (ksm_ladder_takes(2, one, epoch) &&
				    ksm_ladder_takes(2, other, epoch))
					break;
			}
			KUNIT_EXPECT_LT(test, epoch, 16 * 256);
		}
	}
}

static struct kunit_case ksm_ladder_cases[] = {
	KUNIT_CASE(test_sinks),
	KUNIT_CASE(test_yield),
	KUNIT_CASE(test_when),
	KUNIT_CASE(test_rises),
	KUNIT_CASE(test_broken),
	KUNIT_CASE(test_shared),
	KUNIT_CASE(test_none),
	KUNIT_CASE(test_takes),
	KUNIT_CASE(test_meet),
	{}
};

static struct kunit_suite ksm_ladder_suite = {
	.name = "ksm_ladder",
	.test_cases = ksm_ladder_cases,
};

kunit_test_suite(ksm_ladder_suite);

MODULE_DESCRIPTION("KUnit tests of the learning of KSM by site");
MODULE_LICENSE("GPL");
