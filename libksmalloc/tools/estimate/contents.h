/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * contents: contents of pages, counted.
 *
 * What it is: a table that counts, per 128-bit content hash and per group of
 * pages, how many different pages there are; from it follows how many bytes
 * would merge.
 *
 * What it is not: a reader of memory, and it keeps no content, hashes only.
 *
 * Bounded memory: when the table is full, entries whose hash is not a multiple
 * of the next power of two are dropped, and later ones are not taken. All
 * copies of one content are kept or dropped together, so the sums, multiplied
 * by the factor, stay unbiased.
 *
 * Locking and owner: one thread. Failure: -ENOMEM at creation only.
 */
#ifndef KSR_ESTIMATE_CONTENTS_H
#define KSR_ESTIMATE_CONTENTS_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base.h"

struct ksr_pages;

struct ksr_pages_sum {
	uint64_t pages;	    /* different ones, that is without what fork shares */
	uint64_t mergeable; /* pages that merging would free: the shares of the groups add up */
};

struct ksr_pages *ksr_pages_create(uint64_t most_bytes);
void ksr_pages_destroy(struct ksr_pages *pages);
/* group is an index below the number that ksr_pages_sum() is given. */
void ksr_pages_add(struct ksr_pages *pages, XXH128_hash_t hash, uint32_t group);
/* 1 when nothing was dropped. */
uint64_t ksr_pages_factor(const struct ksr_pages *pages);
/* Destroys the order of the table: call one of these once, last. */
void ksr_pages_sum(struct ksr_pages *pages, struct ksr_pages_sum *sums, uint32_t groups);
/* The same of what several groups have: what one group has more than once is not mergeable by itself. */
void ksr_pages_sum_across(struct ksr_pages *pages, struct ksr_pages_sum *sums, uint32_t groups);

#endif
