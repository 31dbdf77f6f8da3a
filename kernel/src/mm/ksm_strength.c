// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many words of a page pay off to be hashed: see ksm_strength.h.
 */

#include <linux/math64.h>
#include <linux/minmax.h>

#include "ksm_strength.h"

/* Of a word. */
#define PARTS 16

/**
 * ksm_strength_init - begin at a level
 * @strength: what is to be initialised
 * @level: the level
 */
void ksm_strength_init(struct ksm_strength *strength, u8 level)
{
	unsigned int i;

	*strength = (struct ksm_strength){
		.level = level,
		.from = level,
	};
	for (i = 0; i <= KSM_HASH_TOP; i++)
		strength->levels[i].patience = KSM_STRENGTH_PATIENCE;
}

static void forget_counts(struct ksm_strength *strength)
{
	strength->visits = 0;
	strength->collisions = 0;
	strength->rewrites = 0;
}

/* What a visit costs at a level whose mistakes cost so much. */
static u32 cost_at(u8 level, u32 mistakes)
{
	return ksm_hash_words(level) * PARTS + mistakes;
}

/* What the mistakes cost, for each visit; more than some visits could make is as much. */
static u32 mistakes_of(const struct ksm_strength *strength)
{
	u64 words = strength->collisions * KSM_STRENGTH_COLLISION;

	/* Until then, those that are found are of merges at the level before, too. */
	if (!strength->settling)
		words += strength->rewrites * KSM_STRENGTH_REWRITE;
	return min(div64_u64(words * PARTS, strength->visits), (u64)U32_MAX / 4);
}

/*
 * If this level costs something else by far than it did, then so do others: what is
 * known of them is of memory that was used in another way.
 */
static void forget_others(struct ksm_strength *strength, u32 cost)
{
	u32 slack = cost_at(KSM_HASH_TOP, 0) / KSM_STRENGTH_GAIN, before;
	unsigned int i;

	before = strength->levels[strength->level].cost;
	if (!before || (cost <= 2 * before + slack && before <= 2 * cost + slack))
		return;
	for (i = 0; i <= KSM_HASH_TOP; i++) {
		strength->levels[i].cost = 0;
		strength->levels[i].patience = KSM_STRENGTH_PATIENCE;
	}
}

/* What is known of other levels gets old. */
static void age(struct ksm_strength *strength)
{
	struct ksm_strength_level *level;
	unsigned int i;

	for (i = 0; i <= KSM_HASH_TOP; i++) {
		level = &strength->levels[i];
		if (i != strength->level && level->fresh && !--level->fresh)
			level->cost = 0;
	}
}

/* Change to a level, which is tried, or which one goes back to. */
static void go_to(struct ksm_strength *strength, u8 level, bool tried)
{
	strength->from = tried ? strength->level : level;
	strength->level = level;
	strength->settling = true;
}

/*
 * The level has cost no less than the one before: leave it for longer than last time.
 * One that is stronger still may be worth it yet, if it makes no mistakes.
 */
static void give_up(struct ksm_strength *strength)
{
	struct ksm_strength_level *now = &strength->levels[strength->level];
	struct ksm_strength_level *from = &strength->levels[strength->from];
	u8 next = strength->level + 1;

	now->patience = min(2 * now->patience, KSM_STRENGTH_PATIENCE_MAX);
	now->fresh = now->patience;
	if (strength->level > strength->from && next <= KSM_HASH_TOP &&
	    !strength->levels[next].cost &&
	    cost_at(next, 0) < from->cost - from->cost / KSM_STRENGTH_GAIN) {
		strength->level = next;
		strength->settling = true;
		return;
	}
	go_to(strength, strength->from, false);
}

/* Try the level beside this one that might be cheaper by far, if there is one. */
static void try_other(struct ksm_strength *strength, u32 cost, u32 mistakes)
{
	u32 least = cost - cost / KSM_STRENGTH_GAIN, other;
	u8 level = strength->level, best = level;

	if (level < KSM_HASH_TOP) {
		other = strength->levels[level + 1].cost ?: cost_at(level + 1, 0);
		if (other < least) {
			least = other;
			best = level + 1;
		}
		/* So many that not to make them is worth several whole pages. */
		if (best > level && mistakes > 4 * cost_at(KSM_HASH_TOP, 0) &&
		    !strength->levels[KSM_HASH_TOP].cost)
			best = KSM_HASH_TOP;
	}
	if (level) {
		other = strength->levels[level - 1].cost ?:
			cost_at(level - 1, mistakes);
		if (other < least)
			best = level - 1;
	}
	if (best == level)
		return;
	strength->levels[level].fresh = KSM_STRENGTH_PATIENCE;
	go_to(strength, best, true);
}

/**
 * ksm_strength_judge - choose the level that is used from now on
 * @strength: its state, the counts of which begin anew when they have told something
 * @merged: how many merged pages have a checksum that is to be taken anew then
 *
 * To be called at the end of an epoch, when nothing but merged pages is found by its
 * checksum.
 *
 * Return: the level.
 */
u8 ksm_strength_judge(struct ksm_strength *strength, u64 merged)
{
	struct ksm_strength_level *now = &strength->levels[strength->level];
	bool tried = strength->from != strength->level;
	u32 mistakes, cost;

	if (strength->visits < KSM_STRENGTH_VISITS ||
	    strength->visits < merged * KSM_STRENGTH_REPAY)
		return strength->level;

	mistakes = mistakes_of(strength);
	cost = cost_at(strength->level, mistakes);
	forget_counts(strength);
	if (tried && cost >= strength->levels[strength->from].cost) {
		now->cost = cost;
		give_up(strength);
	} else if (strength->settling) {
		strength->settling = false;
	} else {
		if (!tried)
			forget_others(strength, cost);
		now->cost = cost;
		if (tried)
			now->patience = KSM_STRENGTH_PATIENCE;
		strength->from = strength->level;
		age(strength);
		try_other(strength, cost, mistakes);
	}
	return strength->level;
}
