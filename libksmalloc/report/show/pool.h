/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool: texts, each of them once.
 *
 * What it is: a table of texts with a number for each, so that what is the same in 100000 stacks is kept, compared and
 * written once.
 * What it is not: a place for anything but texts; it never forgets one.
 * Invariants: number 0 is the empty text. Equal texts have one number. With a limit every text is clean
 * (names/human.h) and at most so many bytes long: of a longer one the end is left out, and "..." says so.
 * Locking and owner: one thread; texts belong to the pool and stay where they are until it is destroyed.
 * Failure: KSR_POOL_NONE without memory.
 */
#ifndef KSR_SHOW_POOL_H
#define KSR_SHOW_POOL_H

#include "base.h"

#define KSR_POOL_NONE UINT32_MAX

struct ksr_pool {
	char **texts;
	uint64_t *hashes;
	uint32_t count;
	uint32_t room;
	uint32_t *cells; /* number of a text plus one, 0: empty */
	uint32_t mask;
	size_t limit; /* bytes of a text; 0: any, and texts are kept as they are */
};

int ksr_pool_init(struct ksr_pool *pool, size_t limit);
void ksr_pool_fini(struct ksr_pool *pool);
uint32_t ksr_pool_put(struct ksr_pool *pool, const char *text);
/* Any number is allowed; one that there is not is the empty text. */
const char *ksr_pool_text(const struct ksr_pool *pool, uint32_t number);

/* FNV-1a, for tables in memory; sum is what came before, or 0. */
uint64_t ksr_pool_hash(uint64_t sum, const void *data, size_t bytes);

#endif
