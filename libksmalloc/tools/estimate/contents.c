/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An open-addressed table of (hash, group) with a count. Of n equal pages one
 * stays, so n - 1 are freed; each of the n is credited with (n - 1) / n of a
 * page, which makes the shares of the groups independent of the order in which
 * they were read.
 */
#define _GNU_SOURCE
#include "estimate/contents.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	uint64_t low;
	uint64_t high;
	uint32_t group;
	uint32_t count; /* 0: the cell is free */
};

struct ksr_pages {
	struct entry *entries;
	size_t mask;
	size_t used;
	uint64_t factor; /* a power of two; contents with low % factor != 0 are not taken */
};

struct ksr_pages *ksr_pages_create(uint64_t most_bytes)
{
	struct ksr_pages *pages = calloc(1, sizeof(*pages));
	size_t room = 1024;

	while (2 * room * sizeof(struct entry) <= most_bytes)
		room *= 2;
	if (pages)
		pages->entries = calloc(room, sizeof(*pages->entries));
	if (!pages || !pages->entries) {
		free(pages);
		return NULL;
	}
	pages->mask = room - 1;
	pages->factor = 1;
	return pages;
}

void ksr_pages_destroy(struct ksr_pages *pages)
{
	if (!pages)
		return;
	free(pages->entries);
	free(pages);
}

uint64_t ksr_pages_factor(const struct ksr_pages *pages)
{
	return pages->factor;
}

static struct entry *find(struct ksr_pages *pages, uint64_t low, uint64_t high, uint32_t group)
{
	/* The low bits of `low` are all zero once contents were dropped: use the other half. */
	size_t cell = (size_t)(high + group * UINT64_C(0x9e3779b97f4a7c15)) & pages->mask;

	for (;; cell = (cell + 1) & pages->mask) {
		struct entry *entry = &pages->entries[cell];

		if (entry->count == 0 ||
		    (entry->low == low && entry->high == high && entry->group == group))
			return entry;
	}
}

static void put(struct ksr_pages *pages, const struct entry *item)
{
	struct entry *entry = find(pages, item->low, item->high, item->group);

	if (entry->count == 0) {
		pages->used++;
		*entry = *item;
	} else if (entry->count < UINT32_MAX) {
		entry->count += item->count;
	}
}

/*
 * Entries move in place: each is taken out of its cell and put again. A scan
 * that begins at a free cell meets every run of cells from its start, so that
 * what is put never lands on an entry that was not yet looked at, but before
 * it in the same run or where it was.
 */
static void drop_half(struct ksr_pages *pages)
{
	size_t start = 0;

	while (pages->entries[start].count)
		start++;
	pages->factor *= 2;
	pages->used = 0;
	for (size_t i = 1; i <= pages->mask; i++) {
		struct entry *entry = &pages->entries[(start + i) & pages->mask];
		struct entry item = *entry;

		entry->count = 0;
		if (item.count && item.low % pages->factor == 0)
			put(pages, &item);
	}
}

void ksr_pages_add(struct ksr_pages *pages, XXH128_hash_t hash, uint32_t group)
{
	struct entry item = {hash.low64, hash.high64, group, 1};

	while (pages->used > pages->mask / 4 * 3)
		drop_half(pages);
	if (item.low % pages->factor == 0)
		put(pages, &item);
}

static int compare(const void *left, const void *right)
{
	const struct entry *a = left;
	const struct entry *b = right;

	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	if (a->high != b->high)
		return a->high < b->high ? -1 : 1;
	return a->group < b->group ? -1 : a->group > b->group;
}

static size_t pack(struct ksr_pages *pages)
{
	size_t kept = 0;

	for (size_t i = 0; i <= pages->mask; i++) {
		if (pages->entries[i].count)
			pages->entries[kept++] = pages->entries[i];
	}
	return kept;
}

/* Entries from first up to, not including, end have one content. */
static void sum_content(const struct entry *first, const struct entry *end, bool across, uint32_t groups,
			uint64_t factor, struct ksr_pages_sum *sums, double *shares)
{
	uint64_t equal = 0;
	uint64_t kept = 1;

	for (const struct entry *entry = first; entry < end; entry++) {
		equal += entry->count;
		kept = across ? ksm_max(kept, entry->count) : kept;
	}
	for (const struct entry *entry = first; entry < end; entry++) {
		if (entry->group >= groups)
			continue;
		sums[entry->group].pages += entry->count * factor;
		if (shares)
			shares[entry->group] += (double)entry->count * (double)(equal - kept) / (double)equal;
	}
}

static void sum(struct ksr_pages *pages, struct ksr_pages_sum *sums, uint32_t groups, bool across)
{
	size_t count = pack(pages);
	double *shares = calloc(groups ? groups : 1, sizeof(*shares));

	qsort(pages->entries, count, sizeof(*pages->entries), compare);
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i; end < count && pages->entries[end].low == pages->entries[i].low &&
			      pages->entries[end].high == pages->entries[i].high;)
			end++;
		sum_content(&pages->entries[i], &pages->entries[end], across, groups, pages->factor, sums, shares);
	}
	for (uint32_t i = 0; shares && i < groups; i++)
		sums[i].mergeable = (uint64_t)(shares[i] * (double)pages->factor + 0.5);
	free(shares);
}

void ksr_pages_sum(struct ksr_pages *pages, struct ksr_pages_sum *sums, uint32_t groups)
{
	sum(pages, sums, groups, false);
}

void ksr_pages_sum_across(struct ksr_pages *pages, struct ksr_pages_sum *sums, uint32_t groups)
{
	sum(pages, sums, groups, true);
}
