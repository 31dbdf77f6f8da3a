// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much of the memory of an allocation site is worth a visit: see ksm_ladder.h.
 */

#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "ksm_ladder.h"

static DEFINE_SPINLOCK(ksm_ladders_lock);
static DEFINE_HASHTABLE(ksm_ladders_hash, 8);

static struct ksm_ladder *ladder_lookup(u64 site, u64 scope)
{
	struct ksm_ladder *ladder;

	hash_for_each_possible(ksm_ladders_hash, ladder, node, site ^ scope) {
		if (ladder->site == site && ladder->scope == scope)
			return ladder;
	}
	return NULL;
}

/**
 * ksm_ladder_get - find or make the ladder of a site
 * @site: the number of the site
 * @scope: the number of those who share it
 *
 * Return: what ksm_ladder_put() is to be called with at last, or NULL if there is
 * no memory for it.
 */
struct ksm_ladder *ksm_ladder_get(u64 site, u64 scope)
{
	struct ksm_ladder *ladder, *new;

	/* Made before it is known to be needed: a site is asked for once in a mm. */
	new = kzalloc(sizeof(*new), GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	spin_lock(&ksm_ladders_lock);
	ladder = ladder_lookup(site, scope);
	if (!ladder && new) {
		new->site = site;
		new->scope = scope;
		hash_add(ksm_ladders_hash, &new->node, site ^ scope);
		swap(ladder, new);
	}
	if (ladder)
		ladder->users++;
	spin_unlock(&ksm_ladders_lock);
	kfree(new);
	return ladder;
}

/**
 * ksm_ladder_put - the site has no memory in a mm any more
 * @ladder: its ladder, or NULL
 */
void ksm_ladder_put(struct ksm_ladder *ladder)
{
	bool last;

	if (!ladder)
		return;
	spin_lock(&ksm_ladders_lock);
	last = !--ladder->users;
	if (last)
		hash_del(&ladder->node);
	spin_unlock(&ksm_ladders_lock);
	if (last)
		kfree(ladder);
}

static void ladder_forget(struct ksm_ladder *ladder)
{
	ladder->visits = 0;
	ladder->merged = 0;
	ladder->broken = 0;
}

/* Has so much of it been merged, and has stayed so, that it is worth its visits? */
static bool ladder_yields(const struct ksm_ladder *ladder)
{
	u64 merged = ladder->merged, broken = ladder->broken;

	broken *= KSM_LADDER_BROKEN;
	return merged > broken &&
		(merged - broken) * KSM_LADDER_YIELD >= ladder->visits;
}

static void ladder_rise(struct ksm_ladder *ladder)
{
	if (ladder->rung)
		ladder->rung--;
	ladder->poor = 0;
	ladder_forget(ladder);
}

static void ladder_sink(struct ksm_ladder *ladder)
{
	if (ladder->rung < KSM_LADDER_RUNGS - 1)
		ladder->rung++;
	ladder->poor = 0;
	ladder->sank = READ_ONCE(ladder->users);
}

/**
 * ksm_ladder_visited - a page had its chance
 * @ladder: the ladder of its site, or NULL
 * @merged: it is merged already
 */
void ksm_ladder_visited(struct ksm_ladder *ladder, bool merged)
{
	if (!ladder || ladder->visits == U32_MAX)
		return;
	ladder->visits++;
	if (merged && ladder->merged < U32_MAX)
		ladder->merged++;
}

/**
 * ksm_ladder_merged - a page was merged, by a visit of it or of an equal one
 * @ladder: the ladder of its site, or NULL
 */
void ksm_ladder_merged(struct ksm_ladder *ladder)
{
	if (!ladder || ladder->merged == U32_MAX)
		return;
	ladder->merged++;
	if (ladder->rung && ladder_yields(ladder))
		ladder_rise(ladder);
}

/**
 * ksm_ladder_broken - a page was merged, and its owner has written to it since
 * @ladder: the ladder of its site, or NULL
 */
void ksm_ladder_broken(struct ksm_ladder *ladder)
{
	if (ladder && ladder->broken < U32_MAX)
		ladder->broken++;
}

/**
 * ksm_ladder_turn - which rung does a site stand on?
 * @ladder: its ladder
 * @epoch: the epoch; if it is another one than at the last call, then that is over,
 *	   and the site is judged
 *
 * Return: the rung.
 */
unsigned int ksm_ladder_turn(struct ksm_ladder *ladder, u32 epoch)
{
	if (ladder->rung && READ_ONCE(ladder->users) > ladder->sank) {
		/* More of it came than there was. */
		ladder->rung = 0;
		ladder->poor = 0;
		ladder_forget(ladder);
	}
	if (ladder->epoch == epoch)
		return ladder->rung;
	ladder->epoch = epoch;
	if (ladder->visits < KSM_LADDER_MIN)
		return ladder->rung;

	if (ladder_yields(ladder))
		ladder_rise(ladder);
	else if (++ladder->poor >= KSM_LADDER_POOR)
		ladder_sink(ladder);
	ladder_forget(ladder);
	return ladder->rung;
}

/**
 * ksm_ladder_takes - is this page to be visited?
 * @rung: where its site stands
 * @place: where in its site it is, in pages
 * @epoch: the epoch
 *
 * Return: false if it is left out in this epoch.
 */
bool ksm_ladder_takes(unsigned int rung, unsigned long place, u32 epoch)
{
	u32 epochs = BIT(rung * KSM_LADDER_SHIFT);

	if (!rung)
		return true;
	return !((jhash_2words(place, epoch / epochs, 0) ^ epoch) & (epochs - 1));
}
