// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of mm/ksm_site.c: what is counted for a site, and what follows from it.
 */
#include <kunit/test.h>
#include <linux/bitfield.h>

#include "../ksm_hint.h"
#include "../ksm_site.h"

/* Of no hash that a site of the running system is likely to have. */
#define SITE 0xabcdef123456ULL
#define PAGES 100

/* The sites of one mm, of which one is tested, at a time that tests let pass. */
struct owner {
	struct ksm_sites sites;
	struct ksm_site *site;
	u32 epoch, term;
};

static u64 hint_of(u64 site, unsigned int priority)
{
	return FIELD_PREP(KSM_HINT_SITE, site) |
		FIELD_PREP(KSM_HINT_PRIORITY, priority);
}

static void owner_exit(void *owner)
{
	ksm_sites_free(&((struct owner *)owner)->sites);
}

static struct owner *owner_new(struct kunit *test, unsigned int priority)
{
	struct owner *owner = kunit_kzalloc(test, sizeof(*owner), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, owner);
	ksm_sites_init(&owner->sites);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, owner_exit, owner), 0);
	/* The count of terms wraps around during the tests. */
	owner->term = U32_MAX - 1;
	owner->epoch = 10;
	owner->site = ksm_sites_get(&owner->sites, hint_of(SITE, priority),
				    owner->epoch);
	KUNIT_ASSERT_EQ(test, owner->site->site, SITE);
	owner->site->items = PAGES;
	return owner;
}

static void merge(struct owner *owner, int pages)
{
	while (pages--)
		ksm_site_merged(owner->site, owner->term);
}

static void lose(struct owner *owner, u32 merged, int pages)
{
	while (pages--)
		ksm_site_left(owner->site, merged, owner->term);
}

/* A scan ends, and with it a term. */
static enum ksm_verdict scan(struct owner *owner)
{
	enum ksm_verdict verdict;

	verdict = ksm_site_judge(owner->site, owner->epoch, owner->term);
	owner->epoch++;
	owner->term++;
	return verdict;
}

static void demote(struct kunit *test, struct owner *owner)
{
	int i;

	for (i = 1; i < KSM_SITE_POOR; i++)
		KUNIT_EXPECT_EQ(test, scan(owner), KSM_SITE_KEEP);
	KUNIT_EXPECT_EQ(test, scan(owner), KSM_SITE_DEMOTE);
}

static void test_lasting(struct kunit *test)
{
	struct owner *owner = owner_new(test, 5);

	merge(owner, 10);
	KUNIT_EXPECT_EQ(test, ksm_site_lasting(owner->site, owner->term), 0);
	owner->term++;
	merge(owner, 1);
	KUNIT_EXPECT_EQ(test, ksm_site_lasting(owner->site, owner->term), 0);
	owner->term++;
	KUNIT_EXPECT_EQ(test, ksm_site_lasting(owner->site, owner->term), 10);
	owner->term++;
	KUNIT_EXPECT_EQ(test, ksm_site_lasting(owner->site, owner->term), 11);
	merge(owner, 5);
	/* Nobody looked for some terms. */
	owner->term += 5;
	KUNIT_EXPECT_EQ(test, ksm_site_lasting(owner->site, owner->term), 16);
}

static void test_lost(struct kunit *test)
{
	struct owner *owner = owner_new(test, 5);
	u32 merged = owner->term;

	merge(owner, 10);
	lose(owner, merged, 1);
	KUNIT_EXPECT_EQ(test, owner->site->lost, 1);
	owner->term++;
	lose(owner, merged, 2);
	KUNIT_EXPECT_EQ(test, owner->site->lost, 3);
	owner->term++;
	lose(owner, merged, 4);
	/* They have lasted. */
	KUNIT_EXPECT_EQ(test, owner->site->lost, 3);
	KUNIT_EXPECT_EQ(test, owner->site->merged, 3);
	KUNIT_EXPECT_EQ(test, ksm_site_lasting(owner->site, owner->term), 3);
	KUNIT_EXPECT_EQ(test, owner->sites.gained[5], 10);
	KUNIT_EXPECT_EQ(test, owner->sites.lost[5], 3);
}

static void test_move(struct kunit *test)
{
	struct owner *owner = owner_new(test, 5);
	u32 merged = owner->term;
	struct ksm_site *to;

	to = ksm_sites_get(&owner->sites, hint_of(SITE + 1, 6), owner->epoch);
	merge(owner, 2);
	owner->term++;
	/* A page takes its age along. */
	ksm_site_move(owner->site, to, merged, owner->term);
	KUNIT_EXPECT_EQ(test, owner->site->merged, 1);
	KUNIT_EXPECT_EQ(test, to->merged, 1);
	KUNIT_EXPECT_EQ(test, ksm_site_lasting(to, owner->term), 0);
	owner->term++;
	KUNIT_EXPECT_EQ(test, ksm_site_lasting(to, owner->term), 1);
	ksm_site_move(owner->site, to, merged, owner->term);
	KUNIT_EXPECT_EQ(test, ksm_site_lasting(to, owner->term), 2);
	KUNIT_EXPECT_EQ(test, owner->site->lost + to->lost, 0);
}

static void test_demoted_without_merges(struct kunit *test)
{
	struct owner *owner = owner_new(test, 5);

	demote(test, owner);
	KUNIT_EXPECT_TRUE(test, ksm_site_changed(owner->site, owner->epoch - 1));
	KUNIT_EXPECT_FALSE(test, ksm_site_changed(owner->site, owner->epoch));
	KUNIT_EXPECT_EQ(test, scan(owner), KSM_SITE_KEEP);
	KUNIT_EXPECT_TRUE(test, owner->site->demoted);
}

static void test_new_merges_are_waited_for(struct kunit *test)
{
	struct owner *owner = owner_new(test, 5);
	int i;

	KUNIT_EXPECT_EQ(test, scan(owner), KSM_SITE_KEEP);
	KUNIT_EXPECT_EQ(test, scan(owner), KSM_SITE_KEEP);
	merge(owner, PAGES / KSM_SITE_YIELD + 1);
	for (i = 0; i < 2 * KSM_SITE_POOR; i++)
		KUNIT_EXPECT_EQ(test, scan(owner), KSM_SITE_KEEP);
	KUNIT_EXPECT_EQ(test, owner->site->poor, 0);
}

static void test_demoted_for_losses(struct kunit *test)
{
	struct owner *owner = owner_new(test, 5);
	enum ksm_verdict verdict = KSM_SITE_KEEP;
	int i;

	/* It merges all of its pages in each scan, and none of them lasts. */
	for (i = 0; i < 10 && verdict == KSM_SITE_KEEP; i++) {
		merge(owner, PAGES);
		lose(owner, owner->term, PAGES);
		verdict = scan(owner);
	}
	KUNIT_EXPECT_EQ(test, verdict, KSM_SITE_DEMOTE);
	KUNIT_EXPECT_EQ(test, i, KSM_SITE_POOR);
}

static void test_losses_beside_new_merges(struct kunit *test)
{
	struct owner *owner = owner_new(test, 5);
	int i;

	/* Half of what it merges is lost soon, and half in the next term. */
	for (i = 1; i <= KSM_SITE_POOR; i++) {
		if (i > 1)
			lose(owner, owner->term - 1, 10);
		merge(owner, 20);
		lose(owner, owner->term, 10);
		KUNIT_EXPECT_EQ(test, scan(owner), i < KSM_SITE_POOR ?
				KSM_SITE_KEEP : KSM_SITE_DEMOTE);
	}
}

static void test_some_losses_are_borne(struct kunit *test)
{
	struct owner *owner = owner_new(test, 5);
	int i, lost;

	merge(owner, 10);
	owner->term += 2;
	for (lost = 10 * KSM_SITE_BROKEN; lost <= 10 * KSM_SITE_BROKEN + 1; lost++) {
		for (i = 1; i < KSM_SITE_POOR; i++) {
			merge(owner, lost);
			lose(owner, owner->term, lost);
			KUNIT_EXPECT_EQ(test, scan(owner), KSM_SITE_KEEP);
		}
		merge(owner, lost);
		lose(owner, owner->term, lost);
		KUNIT_EXPECT_EQ(test, scan(owner),
				lost > 10 * KSM_SITE_BROKEN ? KSM_SITE_DEMOTE :
				KSM_SITE_KEEP);
	}
}

static void test_zero_pages_last(struct kunit *test)
{
	struct owner *owner = owner_new(test, 5);
	int i;

	for (i = 0; i < 2 * KSM_SITE_POOR; i++) {
		owner->site->zero += PAGES / KSM_SITE_YIELD + 1;
		KUNIT_EXPECT_EQ(test, scan(owner), KSM_SITE_KEEP);
	}
	/* Those of former scans are no longer pages of the site. */
	demote(test, owner);
}

static void test_promoted_by_merges(struct kunit *test)
{
	struct owner *owner = owner_new(test, 5);

	demote(test, owner);
	merge(owner, PAGES / KSM_SITE_YIELD + 1);
	KUNIT_EXPECT_EQ(test, scan(owner), KSM_SITE_PROMOTE);
	KUNIT_EXPECT_FALSE(test, owner->site->demoted);
	KUNIT_EXPECT_TRUE(test, ksm_site_changed(owner->site, owner->epoch - 1));
	KUNIT_EXPECT_EQ(test, scan(owner), KSM_SITE_KEEP);
}

static void test_trial(struct kunit *test)
{
	struct owner *owner = owner_new(test, 5), *other;

	KUNIT_EXPECT_FALSE(test, ksm_site_trial(owner->site, owner->epoch));
	demote(test, owner);
	KUNIT_EXPECT_FALSE(test, ksm_site_trial(owner->site, owner->epoch));
	other = owner_new(test, 5);
	KUNIT_EXPECT_EQ(test, other->site->site, owner->site->site);
	KUNIT_EXPECT_TRUE(test, ksm_site_trial(owner->site, owner->epoch));
	KUNIT_EXPECT_FALSE(test, owner->site->demoted);
	/* Nothing came of it. */
	KUNIT_EXPECT_EQ(test, scan(owner), KSM_SITE_DEMOTE);
	KUNIT_EXPECT_FALSE(test, ksm_site_trial(owner->site, owner->epoch));
}

static void test_not_judged(struct kunit *test)
{
	struct owner *plain = owner_new(test, 0), *empty = owner_new(test, 5);
	int i;

	empty->site->items = 0;
	for (i = 0; i < 2 * KSM_SITE_POOR; i++) {
		KUNIT_EXPECT_EQ(test, scan(plain), KSM_SITE_KEEP);
		/* All that it had was merged lately, and is gone. */
		empty->site->lost = 1;
		KUNIT_EXPECT_EQ(test, scan(empty), KSM_SITE_KEEP);
	}
}

static void test_forgiven(struct kunit *test)
{
	struct owner *owner = owner_new(test, 5);

	merge(owner, 10);
	lose(owner, owner->term, 10);
	demote(test, owner);
	ksm_sites_forgive(&owner->sites);
	KUNIT_EXPECT_FALSE(test, owner->site->demoted);
	KUNIT_EXPECT_EQ(test, owner->sites.lost[5], 0);
	KUNIT_EXPECT_EQ(test, owner->sites.gained[5], 0);
	demote(test, owner);
}

static void count_verdict(struct mm_struct *mm, struct ksm_site *site,
			  enum ksm_verdict verdict)
{
	site->skipped++;
}

static void test_sweep(struct kunit *test)
{
	struct owner *owner = owner_new(test, 5);
	u64 gone = hint_of(SITE + 1, 5), seen = hint_of(SITE + 2, 5);
	int i;

	ksm_sites_get(&owner->sites, gone, owner->epoch);
	for (i = 0; i < KSM_SITE_POOR; i++) {
		owner->epoch++;
		ksm_sites_get(&owner->sites, seen, owner->epoch);
		ksm_sites_sweep(&owner->sites, owner->epoch, owner->term,
				count_verdict, NULL);
	}
	KUNIT_EXPECT_NULL(test, ksm_sites_find(&owner->sites, gone));
	KUNIT_EXPECT_NOT_NULL(test, ksm_sites_find(&owner->sites, seen));
	/* It has rmap_items, so it stays; and it was judged. */
	KUNIT_EXPECT_PTR_EQ(test, owner->site,
			    ksm_sites_find(&owner->sites, hint_of(SITE, 5)));
	KUNIT_EXPECT_EQ(test, owner->site->skipped, 1);
}

static struct kunit_case ksm_site_cases[] = {
	KUNIT_CASE(test_lasting),
	KUNIT_CASE(test_lost),
	KUNIT_CASE(test_move),
	KUNIT_CASE(test_demoted_without_merges),
	KUNIT_CASE(test_new_merges_are_waited_for),
	KUNIT_CASE(test_demoted_for_losses),
	KUNIT_CASE(test_losses_beside_new_merges),
	KUNIT_CASE(test_some_losses_are_borne),
	KUNIT_CASE(test_zero_pages_last),
	KUNIT_CASE(test_promoted_by_merges),
	KUNIT_CASE(test_trial),
	KUNIT_CASE(test_not_judged),
	KUNIT_CASE(test_forgiven),
	KUNIT_CASE(test_sweep),
	{}
};

static struct kunit_suite ksm_site_suite = {
	.name = "ksm_site",
	.test_cases = ksm_site_cases,
};

kunit_test_suite(ksm_site_suite);

MODULE_DESCRIPTION("KUnit tests of the counters of allocation sites");
MODULE_LICENSE("GPL");
