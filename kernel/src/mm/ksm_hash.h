/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checksums of pages, of all of their words or of some.
 *
 * A checksum tells whether a page has changed, and which pages may be equal. It
 * need not be right: what is merged is compared, and a page that seems not to have
 * changed is copied when it is written to. So not all words of a page have to be
 * read. Those that are come from all over the page, in whole lines of the cache, in
 * an order that is drawn at boot: as the seed is, so that nobody can choose contents
 * that have a checksum in common.
 *
 * Locking: a struct ksm_hash is changed while no checksum is taken, and while none
 * is kept that was taken before.
 */
#ifndef __MM_KSM_HASH_H
#define __MM_KSM_HASH_H

#include <linux/mm.h>
#include <linux/types.h>

#define KSM_HASH_LINE	64
#define KSM_HASH_LINES	(PAGE_SIZE / KSM_HASH_LINE)
#define KSM_HASH_WORDS	((unsigned int)(PAGE_SIZE / sizeof(u64)))

/**
 * struct ksm_hash - how checksums are taken
 * @seed: the seed
 * @words: so many words of each page are hashed
 * @lines: all lines of a page, in the order in which they are taken
 */
struct ksm_hash {
	u64 seed;
	unsigned int words;
	u16 lines[KSM_HASH_LINES];
};

void ksm_hash_init(struct ksm_hash *hash, u64 seed);
u32 ksm_hash_page(const struct ksm_hash *hash, const void *page);

#endif /* __MM_KSM_HASH_H */
