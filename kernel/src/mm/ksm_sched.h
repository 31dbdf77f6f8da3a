/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which hinted memory does ksmd visit next?
 *
 * Pure logic: it knows no mm, no page and no clock, and takes all its state as
 * an argument, so that it can be tested without ksmd. A process with hinted
 * memory is a lane; its memory of one priority is a class of the lane. A pass
 * is one visit of all memory of a class, in the order of addresses.
 *
 * Rules:
 *  - Lanes share by deficit round robin: each gets KSM_SCHED_QUANTUM pages in
 *    turn, however many classes, vmas or sites it has.
 *  - Inside of a lane, a class of priority p gets p pages for each page that a
 *    class of priority 1 gets, as long as both have work.
 *  - A pass does not begin in the batch in which the pass before it ended: two
 *    visits of a page are at least one batch apart.
 *  - A class rests after KSM_SCHED_IDLE_PASSES passes in a row without a
 *    merge. It is woken for as many passes by a new hint and by growth, and for
 *    one pass in each epoch. What it could not use it does not keep: a class
 *    that found nothing KSM_SCHED_FRUITLESS times is not woken any more by its
 *    own process before the next epoch.
 *  - An epoch ends when each class that was there at its start has completed a
 *    pass in it. ksm.c does not end it before the linear lane is through, too.
 *
 * Locking: the caller's. ksm.c holds ksm_mmlist_lock in all calls.
 */
#ifndef __MM_KSM_SCHED_H
#define __MM_KSM_SCHED_H

#include <linux/list.h>
#include <linux/types.h>

/* Priorities are 1 to KSM_SCHED_PRIORITIES. */
#define KSM_SCHED_PRIORITIES	15
#define KSM_SCHED_QUANTUM	64
#define KSM_SCHED_IDLE_PASSES	2
#define KSM_SCHED_FRUITLESS	4
/* Growth by less than this many pages wakes nobody. */
#define KSM_SCHED_GROWTH_MIN	16

/**
 * struct ksm_sched_class - memory of one process and one priority
 * @address: where the pass goes on
 * @vtime: pages visited, scaled by the weight, to choose between classes
 * @ended: the batch in which the last pass ended
 * @pages: pages that were found in this pass
 * @resident: pages that were found in the last complete pass
 * @merged: pages that were merged in this pass
 * @idle: passes in a row without a merge, since the class was woken
 * @fruitless: passes in a row without a merge, however often it was woken
 * @present: there may be such memory
 * @done: a pass was completed in this epoch
 * @late: came when the epoch had begun, so the epoch does not wait for it
 */
struct ksm_sched_class {
	unsigned long address;
	u64 vtime;
	u32 ended;
	u32 pages;
	u32 resident;
	u32 merged;
	u8 idle;
	u8 fruitless;
	bool present;
	bool done;
	bool late;
};

/**
 * struct ksm_lane - the hinted memory of one process
 * @node: in the queue of the scheduler; the first one is served
 * @owner: whose lane it is, for the caller
 * @vtime: the vtime of the class that was served last
 * @size: what the caller measured as the size of the process
 * @deficit: pages it may visit before it is the next one's turn
 * @class: by priority, less 1
 */
struct ksm_lane {
	struct list_head node;
	void *owner;
	u64 vtime;
	unsigned long size;
	int deficit;
	struct ksm_sched_class class[KSM_SCHED_PRIORITIES];
};

/**
 * struct ksm_sched - all hinted memory
 * @queue: the lanes
 * @batch: the number of this batch, never 0
 * @credit: hundredths of pages that are left of the share of former batches
 */
struct ksm_sched {
	struct list_head queue;
	u32 batch;
	u32 credit;
};

#define KSM_SCHED_INIT(name) { .queue = LIST_HEAD_INIT(name.queue), .batch = 1 }

void ksm_lane_init(struct ksm_lane *lane, void *owner);
void ksm_lane_join(struct ksm_sched *sched, struct ksm_lane *lane);
void ksm_lane_leave(struct ksm_lane *lane);
void ksm_lane_add(struct ksm_lane *lane, unsigned int priority, bool late);
void ksm_lane_drop(struct ksm_lane *lane, unsigned int priority);
bool ksm_lane_wake(struct ksm_lane *lane);
bool ksm_lane_size(struct ksm_lane *lane, unsigned long size);
bool ksm_lane_covers(const struct ksm_lane *lane, unsigned int priority);

unsigned int ksm_sched_batch(struct ksm_sched *sched, unsigned int pages,
			     unsigned int share);
struct ksm_lane *ksm_sched_pick(struct ksm_sched *sched, unsigned int *priority);
void ksm_sched_visited(struct ksm_lane *lane, unsigned int priority,
		       unsigned long next, bool merged);
void ksm_sched_pass_end(struct ksm_sched *sched, struct ksm_lane *lane,
			unsigned int priority);
bool ksm_sched_epoch_done(const struct ksm_sched *sched);
void ksm_sched_epoch_begin(struct ksm_sched *sched);
void ksm_sched_wake_others(struct ksm_sched *sched, struct ksm_lane *lane);
void ksm_sched_all_late(struct ksm_sched *sched);
void ksm_sched_reset(struct ksm_sched *sched);

#endif /* __MM_KSM_SCHED_H */
