// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which hinted memory does ksmd visit next? See ksm_sched.h.
 */

#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "ksm_sched.h"

/* Divided by each priority, so that vtime keeps some digits. */
#define VTIME_SCALE	65536

static struct ksm_sched_class *class_of(struct ksm_lane *lane,
					unsigned int priority)
{
	return &lane->class[priority - 1];
}

static bool class_rests(const struct ksm_sched_class *class)
{
	return class->idle >= KSM_SCHED_IDLE_PASSES;
}

/* Must the epoch wait for a pass of this class? */
static bool class_pending(const struct ksm_sched_class *class)
{
	return class->present && !class->done && !class->late &&
		!class_rests(class);
}

/**
 * ksm_lane_init - make an empty lane
 * @lane: the lane
 * @owner: what the caller wants to find it by
 */
void ksm_lane_init(struct ksm_lane *lane, void *owner)
{
	memset(lane, 0, sizeof(*lane));
	INIT_LIST_HEAD(&lane->node);
	lane->owner = owner;
}

/**
 * ksm_lane_join - put a lane into the queue, behind all others
 * @sched: the scheduler
 * @lane: the lane, which must not be in a queue
 */
void ksm_lane_join(struct ksm_sched *sched, struct ksm_lane *lane)
{
	list_add_tail(&lane->node, &sched->queue);
}

/**
 * ksm_lane_leave - take a lane out of the queue
 * @lane: the lane
 */
void ksm_lane_leave(struct ksm_lane *lane)
{
	list_del_init(&lane->node);
}

/**
 * ksm_lane_add - there may be memory of this priority now
 * @lane: the lane
 * @priority: the priority
 * @late: the epoch has begun already, and does not wait for this memory
 */
void ksm_lane_add(struct ksm_lane *lane, unsigned int priority, bool late)
{
	struct ksm_sched_class *class = class_of(lane, priority);

	if (class->present)
		return;
	memset(class, 0, sizeof(*class));
	class->vtime = lane->vtime;
	class->present = true;
	class->late = late;
}

/**
 * ksm_lane_drop - there is no memory of this priority any more
 * @lane: the lane
 * @priority: the priority
 */
void ksm_lane_drop(struct ksm_lane *lane, unsigned int priority)
{
	class_of(lane, priority)->present = false;
}

/**
 * ksm_lane_wake - the process did something that makes new merges likely
 * @lane: its lane
 *
 * Return: true if some memory of it was woken. If not, then all of it was woken
 * in vain too often, and nobody else should be bothered either.
 */
bool ksm_lane_wake(struct ksm_lane *lane)
{
	struct ksm_sched_class *class;
	bool woken = false;

	for (class = lane->class; class < lane->class + KSM_SCHED_PRIORITIES;
	     class++) {
		if (class->present && class->fruitless < KSM_SCHED_FRUITLESS) {
			class->idle = 0;
			woken = true;
		}
	}
	return woken;
}

/**
 * ksm_lane_size - tell how large a process is
 * @lane: its lane
 * @size: the number of its pages
 *
 * Wakes the lane if the process grew by an eighth of its hinted memory.
 *
 * Return: true if some memory of it was woken.
 */
bool ksm_lane_size(struct ksm_lane *lane, unsigned long size)
{
	unsigned long resident = 0;
	bool woken = false;
	int i;

	for (i = 0; i < KSM_SCHED_PRIORITIES; i++) {
		if (lane->class[i].present)
			resident += lane->class[i].resident;
	}

	if (size >= lane->size + max(resident / 8, KSM_SCHED_GROWTH_MIN + 0UL))
		woken = ksm_lane_wake(lane);
	else if (size >= lane->size)
		return false;
	lane->size = size;
	return woken;
}

/**
 * ksm_lane_covers - does the hinted lane visit this memory in this epoch?
 * @lane: the lane of the process
 * @priority: the priority of the memory
 *
 * Return: true if it did or will, so that the linear lane need not.
 */
bool ksm_lane_covers(const struct ksm_lane *lane, unsigned int priority)
{
	const struct ksm_sched_class *class = &lane->class[priority - 1];

	return class->present && (class->done || class_pending(class));
}

/**
 * ksm_sched_batch - begin a batch
 * @sched: the scheduler
 * @pages: the length of the batch
 * @share: percent of it that hinted memory may have
 *
 * Return: the number of pages that hinted memory may have.
 */
unsigned int ksm_sched_batch(struct ksm_sched *sched, unsigned int pages,
			     unsigned int share)
{
	u64 credit = (u64)pages * share + sched->credit;

	if (!++sched->batch)
		sched->batch = 1;
	sched->credit = do_div(credit, 100);
	return credit;
}

/* The class of this lane that is to be served: 0 if there is none. */
static unsigned int lane_pick(struct ksm_lane *lane, u32 batch)
{
	struct ksm_sched_class *class, *best = NULL;
	unsigned int i;

	for (i = 0; i < KSM_SCHED_PRIORITIES; i++) {
		class = &lane->class[i];
		if (!class->present || class_rests(class) ||
		    class->ended == batch)
			continue;
		/* The one of the higher priority is first if both are equal. */
		if (!best || class->vtime <= best->vtime)
			best = class;
	}
	return best ? best - lane->class + 1 : 0;
}

/**
 * ksm_sched_pick - choose what is to be visited next
 * @sched: the scheduler
 * @priority: set to the priority of the class
 *
 * Return: the lane, or NULL if there is no work in this batch.
 */
struct ksm_lane *ksm_sched_pick(struct ksm_sched *sched, unsigned int *priority)
{
	struct ksm_lane *lane, *first = NULL;

	while (!list_empty(&sched->queue)) {
		lane = list_first_entry(&sched->queue, struct ksm_lane, node);
		*priority = lane_pick(lane, sched->batch);
		if (*priority && lane->deficit > 0)
			return lane;

		if (*priority) {
			/* Its turn is over; the credit is for the next one. */
			lane->deficit += KSM_SCHED_QUANTUM;
			first = NULL;
		} else {
			lane->deficit = 0;
			/* Nobody has work if we have come round to the first. */
			if (lane == first)
				return NULL;
			if (!first)
				first = lane;
		}
		list_move_tail(&lane->node, &sched->queue);
	}
	return NULL;
}

/**
 * ksm_sched_visited - one page of a class was visited
 * @lane: the lane
 * @priority: the priority of the class
 * @next: the address where the pass goes on
 * @merged: the page was merged by this visit
 */
void ksm_sched_visited(struct ksm_lane *lane, unsigned int priority,
		       unsigned long next, bool merged)
{
	struct ksm_sched_class *class = class_of(lane, priority);

	class->vtime = max(class->vtime, lane->vtime);
	lane->vtime = class->vtime;
	class->vtime += VTIME_SCALE / priority;
	lane->deficit--;

	class->address = next;
	class->pages++;
	class->merged += merged;
}

/**
 * ksm_sched_pass_end - all memory of a class was visited
 * @sched: the scheduler
 * @lane: the lane
 * @priority: the priority of the class
 */
void ksm_sched_pass_end(struct ksm_sched *sched, struct ksm_lane *lane,
			unsigned int priority)
{
	struct ksm_sched_class *class = class_of(lane, priority);

	if (class->merged) {
		class->idle = 0;
		class->fruitless = 0;
	} else {
		if (class->idle < U8_MAX)
			class->idle++;
		/* To find no page at all costs nobody anything. */
		if (class->pages && class->fruitless < U8_MAX)
			class->fruitless++;
	}
	class->resident = class->pages;
	class->pages = 0;
	class->merged = 0;
	class->address = 0;
	class->ended = sched->batch;
	class->done = true;
}

/**
 * ksm_sched_epoch_done - has all hinted memory been visited in this epoch?
 * @sched: the scheduler
 *
 * Return: true if there is nothing that the end of the epoch must wait for.
 */
bool ksm_sched_epoch_done(const struct ksm_sched *sched)
{
	const struct ksm_lane *lane;
	int i;

	list_for_each_entry(lane, &sched->queue, node) {
		for (i = 0; i < KSM_SCHED_PRIORITIES; i++) {
			if (class_pending(&lane->class[i]))
				return false;
		}
	}
	return true;
}

/**
 * ksm_sched_epoch_begin - a new epoch begins
 * @sched: the scheduler
 *
 * All passes begin anew, so that a pass completed in an epoch has visited all
 * memory in that epoch; and what rests gets one pass to show that it should
 * not: since the linear lane leaves out what is visited here, that costs no
 * more than the visit of the linear lane would.
 */
void ksm_sched_epoch_begin(struct ksm_sched *sched)
{
	struct ksm_sched_class *class;
	struct ksm_lane *lane;

	list_for_each_entry(lane, &sched->queue, node) {
		for (class = lane->class;
		     class < lane->class + KSM_SCHED_PRIORITIES; class++) {
			class->address = 0;
			class->pages = 0;
			class->done = false;
			class->late = false;
			class->idle = min(class->idle, KSM_SCHED_IDLE_PASSES - 1);
			class->fruitless = min(class->fruitless,
					       KSM_SCHED_FRUITLESS - 1);
		}
	}
}

/**
 * ksm_sched_wake_others - memory of one process may be equal to others' now
 * @sched: the scheduler
 * @lane: the lane of the process, which is left alone
 *
 * Gives each other lane that rests one pass.
 */
void ksm_sched_wake_others(struct ksm_sched *sched, struct ksm_lane *lane)
{
	struct ksm_sched_class *class;
	struct ksm_lane *other;

	list_for_each_entry(other, &sched->queue, node) {
		if (other == lane)
			continue;
		for (class = other->class;
		     class < other->class + KSM_SCHED_PRIORITIES; class++)
			class->idle = min(class->idle, KSM_SCHED_IDLE_PASSES - 1);
	}
}

/**
 * ksm_sched_all_late - let the epoch not wait for any hinted memory
 * @sched: the scheduler
 *
 * For the time when hints were switched on: what was to be visited in this
 * epoch, and was not, is left to the linear lane.
 */
void ksm_sched_all_late(struct ksm_sched *sched)
{
	struct ksm_lane *lane;
	int i;

	list_for_each_entry(lane, &sched->queue, node) {
		for (i = 0; i < KSM_SCHED_PRIORITIES; i++) {
			lane->class[i].late = true;
			lane->class[i].done = false;
		}
	}
}

/**
 * ksm_sched_reset - forget all but which memory there is
 * @sched: the scheduler
 */
void ksm_sched_reset(struct ksm_sched *sched)
{
	struct ksm_sched_class *class;
	struct ksm_lane *lane;
	bool present;

	list_for_each_entry(lane, &sched->queue, node) {
		for (class = lane->class;
		     class < lane->class + KSM_SCHED_PRIORITIES; class++) {
			present = class->present;
			memset(class, 0, sizeof(*class));
			class->present = present;
			class->vtime = lane->vtime;
		}
	}
}
