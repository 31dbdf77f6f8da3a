/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages of several processes that are numbers, and what it takes to merge them: for engine-rules.c alone.
 * Both indexes are the kernel's own (mm/ksm_index.c). What is done with a page is counted in parts of pages.
 */
#ifndef ENGINE_PAGES_H
#define ENGINE_PAGES_H

#include "ksm_index.h"
#include "ksm_sched.h"

#include "engine-random.h"

#define PROCESSES 4
#define REGIONS 8
#define REGION_PAGES 1024
#define PAGES (REGIONS * REGION_PAGES)
#define WORDS 512
#define ZERO 0ull
#define PAGE_MIB (4096.0 / (1 << 20))

/* ---- memory ------------------------------------------------------------------------------------- */

struct kind {
	const char *name;
	unsigned int empty, equal, written;	/* regions */
	double period;
	unsigned int differs;			/* the first word in which pages differ */
};

static const struct kind kinds[] = {
	{ "static", 0, 4, 0, 0, 0 },
	{ "prefix", 0, 4, 0, 0, WORDS - 2 },
	{ "zero", 6, 1, 0, 0, 0 },
	{ "bursty", 0, 4, 1, 4, 0 },
	{ "rewriting", 0, 4, 2, 1, 0 },
};

/* What is merged: one page that several share. */
struct stable {
	struct ksm_index_node node;
	u32 checksum;
	u64 content;
	unsigned int users;
};

struct page {
	struct ksm_index_node node;
	u32 checksum;			/* by which it waits in the index */
	u64 content;
	struct stable *stable;
	bool zero, waits;		/* merged with the zero page; in the unstable index */
	unsigned int epoch;		/* in which it was put there */
	u8 age, skips;
	struct ksm_probation probation;
};

static const struct kind *kind;
static struct page pages[PROCESSES][PAGES];
static struct ksm_index stable_index, unstable_index;
static unsigned int epoch = 1;
static bool by_content;			/* stock: both indexes are ordered by content alone */
static unsigned int words = WORDS;	/* so many are hashed */
static double visited, hashed, compared, merged, broken, in_vain;
static long saved;

static u64 mix(u64 value)
{
	value = (value ^ value >> 33) * 0xff51afd7ed558ccdull;
	value = (value ^ value >> 33) * 0xc4ceb9fe1a85ec53ull;
	return value ^ value >> 33;
}

static u64 content_of(unsigned int process, unsigned int page, unsigned int round)
{
	unsigned int region = page / REGION_PAGES;

	if (region < kind->equal)
		return mix(1 + page + ((u64)round << 32)) | 1;
	if (region < kind->equal + kind->empty)
		return ZERO;
	return mix(1 + page + ((u64)(1000 + process) << 32)) | 1;
}

/*
 * The words that are hashed are drawn from all over the page. Where pages differ in their last two words
 * only, the first of these comes up in the 171st place, on average: (512 + 1) / (2 + 1).
 */
static u32 hash_of(u64 content)
{
	hashed += (double)words / WORDS;
	if (content && kind->differs && words < (WORDS + 1) / 3)
		return 1;
	return mix(content);
}

static int compare(u64 one, u64 other)
{
	double length = one == other ? WORDS : one && other ? kind->differs + 1 : 1;

	compared += length / WORDS;
	if (one != other)
		in_vain += length / WORDS;
	return one < other ? -1 : one > other;
}

/* ---- merging ------------------------------------------------------------------------------------ */

static void forget(struct page *page)
{
	if (page->waits && page->epoch == epoch)
		ksm_index_erase(&unstable_index, &page->node);
	page->waits = false;
}

static void unmerge(struct page *page)
{
	if (page->zero)
		saved--;
	page->zero = false;
	if (!page->stable)
		return;
	if (--page->stable->users)
		saved--;
	else {
		ksm_index_erase(&stable_index, &page->stable->node);
		free(page->stable);
	}
	page->stable = NULL;
}

static void join(struct page *page, struct stable *stable)
{
	forget(page);
	if (stable->users++)
		saved++;
	page->stable = stable;
	merged++;
}

static u32 key_of(u32 checksum)
{
	return by_content ? 0 : checksum;
}

static struct stable *find_stable(u64 content, u32 checksum, struct ksm_index_pos *pos)
{
	struct ksm_index_node *node = ksm_index_find(&stable_index, key_of(checksum), pos);
	int order;

	while (node) {
		struct stable *stable = (struct stable *)node;

		order = compare(content, stable->content);
		if (!order)
			return stable;
		node = ksm_index_next_equal(&stable_index, key_of(checksum), pos, order);
	}
	return NULL;
}

static struct stable *new_stable(u64 content, u32 checksum)
{
	struct stable *stable = calloc(1, sizeof(*stable));
	struct ksm_index_pos pos;
	double before = compared, before_vain = in_vain;

	if (!stable)
		exit(1);
	*stable = (struct stable){ .content = content, .checksum = key_of(checksum) };
	find_stable(content, checksum, &pos);
	ksm_index_insert(&stable_index, &stable->node, &pos);
	/* The search that led here knows the place. */
	compared = before;
	in_vain = before_vain;
	return stable;
}

/* Look for a page in both indexes, and merge it or let it wait. Returns true if it was merged. */
static bool try_page(struct page *page, u32 checksum)
{
	struct ksm_index_pos pos;
	struct ksm_index_node *node;
	struct stable *stable = find_stable(page->content, checksum, &pos);
	struct page *other;
	int order;

	forget(page);
	if (stable) {
		join(page, stable);
		return true;
	}
	for (node = ksm_index_find(&unstable_index, key_of(checksum), &pos); node;
	     node = ksm_index_next_equal(&unstable_index, key_of(checksum), &pos, order)) {
		other = (struct page *)node;
		order = compare(page->content, other->content);
		if (!order) {
			stable = new_stable(page->content, checksum);
			join(other, stable);
			join(page, stable);
			return true;
		}
	}
	page->checksum = by_content ? 0 : checksum;
	ksm_index_insert(&unstable_index, &page->node, &pos);
	page->waits = true;
	page->epoch = epoch;
	return false;
}

static void merge_zero(struct page *page)
{
	forget(page);
	page->zero = true;
	saved++;
	merged++;
}

static void next_epoch(void)
{
	ksm_index_reset(&unstable_index);
	epoch++;
}

#endif
