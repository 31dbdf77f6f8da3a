// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of mm/ksm_domain.c: who is in a domain with whom.
 */
#include <kunit/test.h>

#include "../ksm_domain.h"

static const struct ksm_domain_owner owner = {
	.process = 7, .user = 1000, .cgroup = 31, .dumpable = true
};

/* Are two owners in one domain, if domains are of this kind? */
static bool together(enum ksm_domain_kind kind,
		     const struct ksm_domain_owner *other)
{
	return !ksm_domain_cmp(ksm_domain_id(kind, &owner),
			       ksm_domain_id(kind, other));
}

/* What an owner is joined by is what the kind says, and nothing else. */
static void test_kinds(struct kunit *test)
{
	struct ksm_domain_owner process = owner, user = owner, cgroup = owner;

	process.process = 8;
	user.process = 8;
	user.user = 1001;
	cgroup.process = 8;
	cgroup.cgroup = 32;

	KUNIT_EXPECT_TRUE(test, together(KSM_DOMAIN_SYSTEM, &process));
	KUNIT_EXPECT_TRUE(test, together(KSM_DOMAIN_SYSTEM, &user));
	KUNIT_EXPECT_TRUE(test, together(KSM_DOMAIN_SYSTEM, &cgroup));

	KUNIT_EXPECT_TRUE(test, together(KSM_DOMAIN_USER, &process));
	KUNIT_EXPECT_FALSE(test, together(KSM_DOMAIN_USER, &user));
	KUNIT_EXPECT_TRUE(test, together(KSM_DOMAIN_USER, &cgroup));

	KUNIT_EXPECT_TRUE(test, together(KSM_DOMAIN_CGROUP, &process));
	KUNIT_EXPECT_TRUE(test, together(KSM_DOMAIN_CGROUP, &user));
	KUNIT_EXPECT_FALSE(test, together(KSM_DOMAIN_CGROUP, &cgroup));

	KUNIT_EXPECT_TRUE(test, together(KSM_DOMAIN_PROCESS, &owner));
	KUNIT_EXPECT_FALSE(test, together(KSM_DOMAIN_PROCESS, &process));
}

/* Who is not dumpable is alone, wherever there is more than one domain. */
static void test_dumpable(struct kunit *test)
{
	struct ksm_domain_owner other = owner, third;
	enum ksm_domain_kind kind;

	other.dumpable = false;
	third = other;
	third.process = 9;
	KUNIT_EXPECT_TRUE(test, together(KSM_DOMAIN_SYSTEM, &other));
	for (kind = KSM_DOMAIN_USER; kind < KSM_DOMAIN_PROCESS; kind++) {
		KUNIT_EXPECT_FALSE(test, together(kind, &other));
		KUNIT_EXPECT_NE(test, ksm_domain_id(kind, &other),
				ksm_domain_id(kind, &third));
		/* It is the domain that its process has anyway. */
		KUNIT_EXPECT_EQ(test, ksm_domain_id(kind, &other),
				ksm_domain_id(KSM_DOMAIN_PROCESS, &other));
	}
}

/* The same number of a user, a cgroup and a process are three domains. */
static void test_numbers(struct kunit *test)
{
	struct ksm_domain_owner same = {
		.process = 5, .user = 5, .cgroup = 5, .dumpable = true
	};
	enum ksm_domain_kind kind, other;

	for (kind = 0; kind < KSM_DOMAIN_KINDS; kind++) {
		for (other = 0; other < kind; other++)
			KUNIT_EXPECT_NE(test, ksm_domain_id(kind, &same),
					ksm_domain_id(other, &same));
	}
	/* Nor is the first user, root, the only domain. */
	same.user = 0;
	KUNIT_EXPECT_NE(test, ksm_domain_id(KSM_DOMAIN_USER, &same),
			ksm_domain_id(KSM_DOMAIN_SYSTEM, &same));
}

/* The order is one: no two are each less than the other. */
static void test_order(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ksm_domain_cmp(3, 3), 0);
	KUNIT_EXPECT_LT(test, ksm_domain_cmp(0, ~0ULL), 0);
	KUNIT_EXPECT_GT(test, ksm_domain_cmp(~0ULL, 0), 0);
	KUNIT_EXPECT_LT(test, ksm_domain_cmp(1ULL << 32, (1ULL << 32) + 1), 0);
}

/* Checksums are what they were without domains, and differ with them. */
static void test_salt(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ksm_domain_salt(0, 0x1234567), 0);
	KUNIT_EXPECT_NE(test, ksm_domain_salt(1, 7), 0);
	KUNIT_EXPECT_NE(test, ksm_domain_salt(1, 7), ksm_domain_salt(2, 7));
	KUNIT_EXPECT_NE(test, ksm_domain_salt(1, 7), ksm_domain_salt(1, 8));
	KUNIT_EXPECT_EQ(test, ksm_domain_salt(1, 7), ksm_domain_salt(1, 7));
}

static struct kunit_case ksm_domain_cases[] = {
	KUNIT_CASE(test_kinds),
	KUNIT_CASE(test_dumpable),
	KUNIT_CASE(test_numbers),
	KUNIT_CASE(test_order),
	KUNIT_CASE(test_salt),
	{}
};

static struct kunit_suite ksm_domain_suite = {
	.name = "ksm_domain",
	.test_cases = ksm_domain_cases,
};

kunit_test_suite(ksm_domain_suite);

MODULE_DESCRIPTION("KUnit tests of the domains in which KSM merges");
MODULE_LICENSE("GPL");
