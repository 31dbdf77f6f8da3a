/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What became of the memory of each allocation site, counted for each mm.
 *
 * The counters of a site are changed by the holder of ksm_thread_mutex only,
 * and are read without a lock: they may be a moment old. ksm_sites_lock is for
 * the tree of the sites of an mm, and is taken inside of ksm_mmlist_lock.
 *
 * Of all rmap_items of a stable node, exactly one pays for its page, and the
 * others save one each: so the pages that are saved by all sites add up to
 * pages_sharing. ksm.c sees to that.
 */
#ifndef __MM_KSM_SITE_H
#define __MM_KSM_SITE_H

#include <linux/rbtree.h>
#include <linux/types.h>

struct mm_struct;
struct seq_file;

/**
 * struct ksm_site - the counters of one site in one mm
 * @node: in the tree of the mm, by @site
 * @site: the number of the site, 0 for all memory without a hint
 * @seen: the epoch in which memory of it was last visited
 * @priority: of the last hint that was seen
 * @stability: of the last hint that was seen
 * @items: rmap_items
 * @merged: rmap_items that share a KSM page
 * @paying: those of @merged that pay for it
 * @unshared: rmap_items in the unstable tree, or that were when it was reset
 * @scanned: visits
 * @zero: merges with the zero page
 * @cow_broken: merges that were found broken at the next visit
 * @skipped: visits left out by smart_scan
 */
struct ksm_site {
	struct rb_node node;
	u64 site;
	u32 seen;
	u8 priority;
	u8 stability;
	unsigned long items;
	unsigned long merged;
	unsigned long paying;
	unsigned long unshared;
	unsigned long scanned;
	unsigned long zero;
	unsigned long cow_broken;
	unsigned long skipped;
};

/**
 * struct ksm_sites - all sites of an mm
 * @root: the sites with a hint
 * @last: the one that was asked for last, NULL if none
 * @other: memory without a hint, and of sites there was no memory to count
 */
struct ksm_sites {
	struct rb_root root;
	struct ksm_site *last;
	struct ksm_site other;
};

struct ksm_site *ksm_sites_get(struct ksm_sites *sites, u64 hint, u32 epoch);
void ksm_sites_sweep(struct ksm_sites *sites, u32 epoch);
void ksm_sites_free(struct ksm_sites *sites);
unsigned int ksm_sites_copy(struct ksm_sites *sites, u64 from,
			    struct ksm_site *rows, unsigned int max);

/* As ksm_sites_copy(), for an mm; 0 if it is not known to KSM. By ksm.c. */
unsigned int ksm_mm_sites_copy(struct mm_struct *mm, u64 from,
			       struct ksm_site *rows, unsigned int max);

#endif /* __MM_KSM_SITE_H */
