// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that are expected to be equal because of where they are: see ksm_peers.h.
 */

#include <linux/hashtable.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "ksm_peers.h"

static DEFINE_SPINLOCK(ksm_peers_lock);
static DEFINE_HASHTABLE(ksm_peers_hash, 8);

static struct ksm_peers *peers_lookup(u64 site)
{
	struct ksm_peers *peers;

	hash_for_each_possible(ksm_peers_hash, peers, node, site) {
		if (peers->site == site)
			return peers;
	}
	return NULL;
}

/**
 * ksm_peers_get - find or make the places of a site
 * @site: the number of the site
 *
 * Return: what ksm_peers_put() is to be called with at last, or NULL if there is
 * no memory for it.
 */
struct ksm_peers *ksm_peers_get(u64 site)
{
	struct ksm_peers *peers, *new;

	/* Made before it is known to be needed: a site is asked for once in a mm. */
	new = kzalloc(sizeof(*new), GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	spin_lock(&ksm_peers_lock);
	peers = peers_lookup(site);
	if (!peers && new) {
		new->site = site;
		xa_init(&new->items);
		hash_add(ksm_peers_hash, &new->node, site);
		swap(peers, new);
	}
	if (peers)
		peers->users++;
	spin_unlock(&ksm_peers_lock);
	kfree(new);
	return peers;
}

/**
 * ksm_peers_put - the site has no memory in a mm any more
 * @peers: its places, none of which has an item of this mm; or NULL
 */
void ksm_peers_put(struct ksm_peers *peers)
{
	bool last;

	if (!peers)
		return;
	spin_lock(&ksm_peers_lock);
	last = !--peers->users;
	if (last)
		hash_del(&peers->node);
	spin_unlock(&ksm_peers_lock);
	if (!last)
		return;
	WARN_ON_ONCE(!xa_empty(&peers->items));
	xa_destroy(&peers->items);
	kfree(peers);
}

/**
 * ksm_peers_find - find what stands for a place
 * @peers: the places of the site
 * @place: the place
 *
 * Return: the item, or NULL.
 */
void *ksm_peers_find(struct ksm_peers *peers, unsigned long place)
{
	return xa_load(&peers->items, place);
}

/**
 * ksm_peers_add - let an item stand for a place
 * @peers: the places of the site
 * @place: the place, of which the caller knows what stood for it before
 * @item: the item
 *
 * Return: false if there is no memory for it: then nothing has changed.
 */
bool ksm_peers_add(struct ksm_peers *peers, unsigned long place, void *item)
{
	return !xa_is_err(xa_store(&peers->items, place, item, GFP_KERNEL |
				   __GFP_NORETRY | __GFP_NOWARN));
}

/**
 * ksm_peers_del - let nothing stand for a place
 * @peers: the places of the site
 * @place: the place
 */
void ksm_peers_del(struct ksm_peers *peers, unsigned long place)
{
	xa_erase(&peers->items, place);
}

/**
 * ksm_peers_worth - is it worth while to compare a page with its peer?
 * @peers: the places of the site
 *
 * Return: true, unless most comparisons were in vain: then for a few only, which
 * show whether that has changed.
 */
bool ksm_peers_worth(struct ksm_peers *peers)
{
	if (peers->tries < KSM_PEERS_TRIES / 2 ||
	    peers->hits * KSM_PEERS_YIELD >= peers->tries)
		return true;
	if (++peers->passed < KSM_PEERS_SAMPLE)
		return false;
	peers->passed = 0;
	return true;
}

/**
 * ksm_peers_tried - a page was compared with its peer
 * @peers: the places of the site
 * @hit: they were equal
 */
void ksm_peers_tried(struct ksm_peers *peers, bool hit)
{
	if (peers->tries == KSM_PEERS_TRIES) {
		peers->tries /= 2;
		peers->hits /= 2;
	}
	peers->tries++;
	peers->hits += hit;
}
