/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that are expected to be equal because of where they are.
 *
 * Memory of an allocation site may be hinted to have peers: equal content at the
 * same place of other ranges of the site, mostly those of other processes, where
 * the place is the page offset modulo 2^KSM_HINT_PEER_SHIFT. For each place of a
 * site, one item stands for all: whoever visits another page of that place
 * compares it with that of the item, and needs not look for it in the index.
 *
 * It knows nothing of what an item is. Whoever frees an item takes it out before;
 * so nothing is found that is not there any more.
 *
 * Locking: ksm_peers_lock is for the list of all sites and for the counts of their
 * users, and is taken inside of nothing but ksm_thread_mutex. All else is of the
 * holder of ksm_thread_mutex.
 */
#ifndef __MM_KSM_PEERS_H
#define __MM_KSM_PEERS_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/xarray.h>

/* Of so many tries at most, newer ones counting more, it is known what came of them. */
#define KSM_PEERS_TRIES		64
/* One in so many tries must be a hit, once KSM_PEERS_TRIES / 2 are known. */
#define KSM_PEERS_YIELD		4
/* If not, then one in so many places is tried only. */
#define KSM_PEERS_SAMPLE	16

/**
 * struct ksm_peers - what stands for the places of one site
 * @node: in the hash table of all sites
 * @site: the number of the site
 * @users: how many processes have it
 * @tries: how often a page was compared with the one that stands for its place
 * @hits: how often it was equal
 * @passed: how many were passed by since one was tried
 * @items: by place
 */
struct ksm_peers {
	struct hlist_node node;
	u64 site;
	unsigned int users;
	unsigned int tries;
	unsigned int hits;
	unsigned int passed;
	struct xarray items;
};

struct ksm_peers *ksm_peers_get(u64 site);
void ksm_peers_put(struct ksm_peers *peers);
void *ksm_peers_find(struct ksm_peers *peers, unsigned long place);
bool ksm_peers_add(struct ksm_peers *peers, unsigned long place, void *item);
void ksm_peers_del(struct ksm_peers *peers, unsigned long place);
bool ksm_peers_worth(struct ksm_peers *peers);
void ksm_peers_tried(struct ksm_peers *peers, bool hit);

#endif /* __MM_KSM_PEERS_H */
