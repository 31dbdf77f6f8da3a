// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of mm/ksm_peers.c: what stands for a place, and when it is asked.
 */
#include <kunit/test.h>

#include "../ksm_peers.h"

/* Of no hash that a site of the running system is likely to have. */
#define SITE 0xabcdef654321ULL

static void put_peers(void *peers)
{
	ksm_peers_put(peers);
}

static struct ksm_peers *get_peers(struct kunit *test, u64 site)
{
	struct ksm_peers *peers = ksm_peers_get(site);

	KUNIT_ASSERT_NOT_NULL(test, peers);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put_peers, peers), 0);
	return peers;
}

static void test_places(struct kunit *test)
{
	struct ksm_peers *peers = get_peers(test, SITE);
	static long items[2];

	KUNIT_EXPECT_NULL(test, ksm_peers_find(peers, 7));
	KUNIT_EXPECT_TRUE(test, ksm_peers_add(peers, 7, &items[0]));
	KUNIT_EXPECT_PTR_EQ(test, ksm_peers_find(peers, 7), (void *)&items[0]);
	KUNIT_EXPECT_NULL(test, ksm_peers_find(peers, 8));
	KUNIT_EXPECT_TRUE(test, ksm_peers_add(peers, 7, &items[1]));
	KUNIT_EXPECT_PTR_EQ(test, ksm_peers_find(peers, 7), (void *)&items[1]);
	ksm_peers_del(peers, 7);
	KUNIT_EXPECT_NULL(test, ksm_peers_find(peers, 7));
	/* What is not there can be taken out, too. */
	ksm_peers_del(peers, 7);
}

/* All processes of a site share its places, and the last one takes them along. */
static void test_shared(struct kunit *test)
{
	struct ksm_peers *one = get_peers(test, SITE), *other;
	static long item;

	KUNIT_EXPECT_PTR_EQ(test, ksm_peers_get(SITE), one);
	other = get_peers(test, SITE + 1);
	KUNIT_EXPECT_PTR_NE(test, one, other);
	ksm_peers_add(one, 3, &item);
	KUNIT_EXPECT_NULL(test, ksm_peers_find(other, 3));
	ksm_peers_put(one);
	KUNIT_EXPECT_PTR_EQ(test, ksm_peers_find(one, 3), (void *)&item);
	ksm_peers_del(one, 3);
}

/* Who has no equal peers is asked for a few of them only. */
static void test_worth(struct kunit *test)
{
	struct ksm_peers peers = {};
	int i, tried = 0;

	for (i = 0; i < KSM_PEERS_TRIES / 2; i++) {
		KUNIT_EXPECT_TRUE(test, ksm_peers_worth(&peers));
		ksm_peers_tried(&peers, false);
	}
	for (i = 0; i < 100 * KSM_PEERS_SAMPLE; i++) {
		if (ksm_peers_worth(&peers)) {
			ksm_peers_tried(&peers, false);
			tried++;
		}
	}
	KUNIT_EXPECT_EQ(test, tried, 100);
	KUNIT_EXPECT_LE(test, peers.tries, KSM_PEERS_TRIES);

	/* When they have become equal, that is found out. */
	for (i = 0; i < KSM_PEERS_TRIES * KSM_PEERS_SAMPLE; i++) {
		if (ksm_peers_worth(&peers))
			ksm_peers_tried(&peers, true);
	}
	KUNIT_EXPECT_TRUE(test, ksm_peers_worth(&peers));
	KUNIT_EXPECT_TRUE(test, ksm_peers_worth(&peers));
}

/* A part of the pages that are not equal is borne. */
static void test_some_misses(struct kunit *test)
{
	struct ksm_peers peers = {};
	int i;

	for (i = 0; i < 10 * KSM_PEERS_TRIES; i++) {
		KUNIT_EXPECT_TRUE(test, ksm_peers_worth(&peers));
		ksm_peers_tried(&peers, i % 2);
	}
}

static struct kunit_case ksm_peers_cases[] = {
	KUNIT_CASE(test_places),
	KUNIT_CASE(test_shared),
	KUNIT_CASE(test_worth),
	KUNIT_CASE(test_some_misses),
	{}
};

static struct kunit_suite ksm_peers_suite = {
	.name = "ksm_peers",
	.test_cases = ksm_peers_cases,
};

kunit_test_suite(ksm_peers_suite);

MODULE_DESCRIPTION("KUnit tests of the peers of KSM's pages");
MODULE_LICENSE("GPL");
