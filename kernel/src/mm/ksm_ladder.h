/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much of the memory of an allocation site is worth a visit?
 *
 * A site stands on a rung of a ladder. On the highest, 0, a scan visits all of its
 * pages; on each one below only one in four of those that it visits on the rung
 * above. It sinks when what it is visited for is not found there, and rises as
 * soon as its samples are merged. What is known of a site is known of it in all
 * processes: they share one ladder, as long as one of them has memory of it.
 *
 * Rules:
 *  - Evidence are the visits of pages that had their chance: that were tried, that
 *    have changed meanwhile, or that are merged. The first visit of a page says
 *    nothing. Its yield are the pages that are found merged, and those that are
 *    merged by whatever visit; a broken merge takes back KSM_LADDER_BROKEN of them.
 *  - A site sinks by one rung after KSM_LADDER_POOR epochs in a row with a yield of
 *    less than one in KSM_LADDER_YIELD. It is judged when an epoch is over and not
 *    before, for the first of two equal pages is merged when the other is visited.
 *    An epoch with less than KSM_LADDER_MIN visits is judged with the next one.
 *  - It rises by one rung after an epoch with a better yield; and at once when a
 *    page is merged and the yield up to then is no less.
 *  - It is on the highest rung again when more processes have memory of it than
 *    when it sank: theirs may be equal to what had no equal.
 *  - Which pages are visited depends on their places and on the epoch, and on no
 *    process: what is equal at equal places is visited in the same epochs. In a
 *    round of 4 or 16 epochs each page comes once. Which ones come together differs
 *    from round to round: of two equal pages at different places one is tried while the
 *    other one waits in the index after 4 * 4 or 16 * 16 epochs on average. Of many
 *    such pages some come together sooner, and then the site rises.
 *
 * It knows no page, no mm and no clock, and takes its state as an argument.
 *
 * Locking: ksm_ladders_lock is for the list of all ladders and for the counts of
 * their users, and is taken inside of nothing but ksm_thread_mutex. All else is of
 * the holder of ksm_thread_mutex.
 */
#ifndef __MM_KSM_LADDER_H
#define __MM_KSM_LADDER_H

#include <linux/types.h>

/* Rungs are 0 to KSM_LADDER_RUNGS - 1. */
#define KSM_LADDER_RUNGS	3
/* Each one visits one in 2^this of the pages that the one above it visits. */
#define KSM_LADDER_SHIFT	2
#define KSM_LADDER_YIELD	16
#define KSM_LADDER_BROKEN	4
#define KSM_LADDER_POOR		2
#define KSM_LADDER_MIN		32

/**
 * struct ksm_ladder - what is known of a site
 * @node: in the hash table of all of them
 * @site: the number of the site
 * @scope: the number of those who share it: of a merge domain, or of a process
 * @users: how many processes have it
 * @sank: how many had it when it sank last
 * @epoch: the epoch of the evidence
 * @visits: pages that had their chance
 * @merged: how many were merged, or were found to be
 * @broken: merges that were found broken
 * @rung: where it stands
 * @poor: epochs in a row with a poor yield
 */
struct ksm_ladder {
	struct hlist_node node;
	u64 site;
	u64 scope;
	unsigned int users;
	unsigned int sank;
	u32 epoch;
	u32 visits;
	u32 merged;
	u32 broken;
	u8 rung;
	u8 poor;
};

struct ksm_ladder *ksm_ladder_get(u64 site, u64 scope);
void ksm_ladder_put(struct ksm_ladder *ladder);
void ksm_ladder_visited(struct ksm_ladder *ladder, bool merged);
void ksm_ladder_merged(struct ksm_ladder *ladder);
void ksm_ladder_broken(struct ksm_ladder *ladder);
unsigned int ksm_ladder_turn(struct ksm_ladder *ladder, u32 epoch);
bool ksm_ladder_takes(unsigned int rung, unsigned long place, u32 epoch);

#endif /* __MM_KSM_LADDER_H */
