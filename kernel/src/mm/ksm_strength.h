/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many words of a page pay off to be hashed.
 *
 * A weak checksum, of few words, is taken sooner, but makes mistakes: pages that
 * differ in other words are compared in vain (a collision), and pages that change in
 * other words are merged, and copied at the next write (a rewrite). Both happen with
 * a strong checksum, too: pages are rewritten whatever was known of them. So what a
 * level (see ksm_hash.h) costs is measured, in words that are read for each visit, and
 * the levels beside it are tried if they might cost less: a stronger one if it made no
 * mistakes, a weaker one if it made no more than this one. If that one costs no less
 * after all, it is left again, and tried again ever more rarely.
 *
 * A change costs as well: all that is merged needs a new checksum. It is made only
 * after so many visits that this does not matter.
 *
 * Pure logic: it knows no page, and takes all its state as an argument.
 * Locking: the caller's. In ksm.c, it is ksm_thread_mutex.
 */
#ifndef __MM_KSM_STRENGTH_H
#define __MM_KSM_STRENGTH_H

#include <linux/types.h>

#include "ksm_hash.h"

/*
 * What mistakes cost, in words that could have been hashed in the same time: a
 * comparison, half of two pages; a merge and a copy, with their faults and flushes of
 * the TLB, some microseconds. Their order is what matters.
 */
#define KSM_STRENGTH_COLLISION	(KSM_HASH_WORDS)
#define KSM_STRENGTH_REWRITE	(8 * KSM_HASH_WORDS)
/* It takes so many visits to know what a level costs. */
#define KSM_STRENGTH_VISITS	1024
/* And so many for each merged page, whose checksum a change takes anew. */
#define KSM_STRENGTH_REPAY	4
/* Another level must be cheaper by one in so many. */
#define KSM_STRENGTH_GAIN	8
/* What is known of another level is believed for so many verdicts, at first and at most. */
#define KSM_STRENGTH_PATIENCE	4
#define KSM_STRENGTH_PATIENCE_MAX	128
/* A search that meets so many pages that differ is given up: the next level is better. */
#define KSM_STRENGTH_TRIES	32

/**
 * struct ksm_strength_level - what is known of a level
 * @cost: of a visit, in sixteenths of a word; 0 if it is not known
 * @fresh: for so many verdicts it is believed
 * @patience: and for so many the next time
 */
struct ksm_strength_level {
	u32 cost;
	u8 fresh;
	u8 patience;
};

/**
 * struct ksm_strength - which level is used, and why
 * @level: the level
 * @from: the level that it is compared with, if it is being tried; else the same
 * @settling: broken merges may be those of another level yet
 * @visits: checksums that were taken since the last verdict
 * @collisions: pages of the same checksum that were found to differ, since then
 * @rewrites: merges that were found broken soon, since then
 * @levels: by level
 */
struct ksm_strength {
	u8 level;
	u8 from;
	bool settling;
	u64 visits;
	u64 collisions;
	u64 rewrites;
	struct ksm_strength_level levels[KSM_HASH_TOP + 1];
};

void ksm_strength_init(struct ksm_strength *strength, u8 level);
u8 ksm_strength_judge(struct ksm_strength *strength, u64 merged);

#endif /* __MM_KSM_STRENGTH_H */
