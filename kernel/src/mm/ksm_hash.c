// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checksums of pages, of all of their words or of some: see ksm_hash.h.
 */

#include <linux/minmax.h>
#include <linux/prandom.h>
#include <linux/xxhash.h>

#include "ksm_hash.h"

/**
 * ksm_hash_init - take checksums of all words
 * @hash: what is to be initialised
 * @seed: what nobody knows
 */
void ksm_hash_init(struct ksm_hash *hash, u64 seed)
{
	struct rnd_state state;
	unsigned int i, other;

	hash->seed = seed;
	hash->words = KSM_HASH_WORDS;
	for (i = 0; i < KSM_HASH_LINES; i++)
		hash->lines[i] = i;
	prandom_seed_state(&state, seed);
	for (i = KSM_HASH_LINES - 1; i; i--) {
		other = prandom_u32_state(&state) % (i + 1);
		swap(hash->lines[i], hash->lines[other]);
	}
}

/**
 * ksm_hash_page - take the checksum of a page
 * @hash: how
 * @page: its content
 *
 * Return: the checksum.
 */
u32 ksm_hash_page(const struct ksm_hash *hash, const void *page)
{
	unsigned int left = hash->words, words, i;
	u64 sum = hash->seed;

	if (left >= KSM_HASH_WORDS)
		return xxhash(page, PAGE_SIZE, sum);
	for (i = 0; left; i++, left -= words) {
		words = min(left, KSM_HASH_LINE / (unsigned int)sizeof(u64));
		sum = xxhash(page + hash->lines[i] * KSM_HASH_LINE,
			     words * sizeof(u64), sum);
	}
	return sum;
}
