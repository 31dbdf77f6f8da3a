// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of mm/ksm_hash.c: which words of a page count.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "../ksm_hash.h"

static u64 *new_page(struct kunit *test)
{
	u64 *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	return page;
}

/* How many words are there by which the checksum of an empty page changes? */
static unsigned int words_that_count(struct kunit *test, const struct ksm_hash *hash)
{
	unsigned int i, count = 0;
	u64 *page = new_page(test);
	u32 empty = ksm_hash_page(hash, page);

	for (i = 0; i < KSM_HASH_WORDS; i++) {
		page[i] = 0x0123456789abcdefULL;
		count += ksm_hash_page(hash, page) != empty;
		page[i] = 0;
	}
	return count;
}

/* Exactly as many words count as are asked for. */
static void test_words(struct kunit *test)
{
	static const unsigned int words[] = { 1, 7, 8, 9, 64, 100, 511 };
	struct ksm_hash hash;
	unsigned int i;

	ksm_hash_init(&hash, 12345);
	KUNIT_EXPECT_EQ(test, words_that_count(test, &hash), KSM_HASH_WORDS);
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		hash.words = words[i];
		KUNIT_EXPECT_EQ(test, words_that_count(test, &hash), words[i]);
	}
}

/* Each line of a page is taken once, and not in the same order with all seeds. */
static void test_order(struct kunit *test)
{
	bool *taken = kunit_kzalloc(test, KSM_HASH_LINES, GFP_KERNEL);
	struct ksm_hash hash, other;
	unsigned int i, count = 0;

	KUNIT_ASSERT_NOT_NULL(test, taken);
	ksm_hash_init(&hash, 1);
	ksm_hash_init(&other, 2);
	for (i = 0; i < KSM_HASH_LINES; i++) {
		KUNIT_ASSERT_LT(test, hash.lines[i], KSM_HASH_LINES);
		count += !taken[hash.lines[i]];
		taken[hash.lines[i]] = true;
	}
	KUNIT_EXPECT_EQ(test, count, KSM_HASH_LINES);
	KUNIT_EXPECT_NE(test, memcmp(hash.lines, other.lines, sizeof(hash.lines)), 0);
}

/* A page has another checksum with another seed, whatever part of it is hashed. */
static void test_seed(struct kunit *test)
{
	struct ksm_hash hash, other;
	u64 *page = new_page(test);

	memset(page, 0x5a, PAGE_SIZE);
	ksm_hash_init(&hash, 1);
	ksm_hash_init(&other, 2);
	KUNIT_EXPECT_NE(test, ksm_hash_page(&hash, page), ksm_hash_page(&other, page));
	hash.words = 64;
	other.words = 64;
	KUNIT_EXPECT_NE(test, ksm_hash_page(&hash, page), ksm_hash_page(&other, page));
}

static struct kunit_case ksm_hash_cases[] = {
	KUNIT_CASE(test_words),
	KUNIT_CASE(test_order),
	KUNIT_CASE(test_seed),
	{}
};

static struct kunit_suite ksm_hash_suite = {
	.name = "ksm_hash",
	.test_cases = ksm_hash_cases,
};

kunit_test_suite(ksm_hash_suite);

MODULE_DESCRIPTION("KUnit tests of the checksums of KSM's pages");
MODULE_LICENSE("GPL");
