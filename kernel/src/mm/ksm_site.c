// SPDX-License-Identifier: GPL-2.0-only
/*
 * What became of the memory of each allocation site: see ksm_site.h.
 */

#include <linux/ksm.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>

#include "ksm_hint.h"
#include "ksm_site.h"

/* Protects the trees of all sites: held for a lookup or for a few rows. */
static DEFINE_SPINLOCK(ksm_sites_lock);

/* Find a site, or the place where it would be. Only readers need the lock. */
static struct ksm_site *site_find(struct ksm_sites *sites, u64 id,
				  struct rb_node **parent,
				  struct rb_node ***link)
{
	struct rb_node **new = &sites->root.rb_node;
	struct ksm_site *site;

	*parent = NULL;
	while (*new) {
		site = rb_entry(*new, struct ksm_site, node);
		if (site->site == id)
			return site;
		*parent = *new;
		new = id < site->site ? &(*new)->rb_left : &(*new)->rb_right;
	}
	*link = new;
	return NULL;
}

/**
 * ksm_sites_get - find or make the counters of a site
 * @sites: the sites of the mm
 * @hint: the hint of the memory, 0 if it has none
 * @epoch: the epoch in which the memory is visited
 *
 * Return: the counters. They stay until the epoch after the next, and as long
 * as they have rmap_items.
 */
struct ksm_site *ksm_sites_get(struct ksm_sites *sites, u64 hint, u32 epoch)
{
	struct rb_node *parent, **link;
	u64 id = FIELD_GET(KSM_HINT_SITE, hint);
	struct ksm_site *site = sites->last;

	if (!id)
		return &sites->other;
	if (!site || site->site != id)
		site = site_find(sites, id, &parent, &link);
	if (!site) {
		site = kzalloc(sizeof(*site), GFP_KERNEL | __GFP_NORETRY |
			       __GFP_NOWARN);
		if (!site)
			return &sites->other;
		site->site = id;
		spin_lock(&ksm_sites_lock);
		rb_link_node(&site->node, parent, link);
		rb_insert_color(&site->node, &sites->root);
		spin_unlock(&ksm_sites_lock);
	}
	site->seen = epoch;
	site->priority = ksm_hint_priority(hint);
	site->stability = ksm_hint_stability(hint);
	sites->last = site;
	return site;
}

static void site_remove(struct ksm_sites *sites, struct ksm_site *site)
{
	spin_lock(&ksm_sites_lock);
	rb_erase(&site->node, &sites->root);
	spin_unlock(&ksm_sites_lock);
	if (sites->last == site)
		sites->last = NULL;
	kfree(site);
}

/**
 * ksm_sites_sweep - forget the sites that have no memory any more
 * @sites: the sites of the mm
 * @epoch: the epoch; what was seen in this one and in the one before stays
 */
void ksm_sites_sweep(struct ksm_sites *sites, u32 epoch)
{
	struct rb_node *node, *next;
	struct ksm_site *site;

	for (node = rb_first(&sites->root); node; node = next) {
		next = rb_next(node);
		site = rb_entry(node, struct ksm_site, node);
		if (!site->items && epoch - site->seen > 1)
			site_remove(sites, site);
	}
}

/**
 * ksm_sites_free - forget all sites
 * @sites: the sites of an mm that nobody can find any more
 */
void ksm_sites_free(struct ksm_sites *sites)
{
	struct ksm_site *site, *next;

	rbtree_postorder_for_each_entry_safe(site, next, &sites->root, node)
		kfree(site);
	sites->root = RB_ROOT;
	sites->last = NULL;
}

/**
 * ksm_sites_copy - copy the counters of some sites
 * @sites: the sites of an mm
 * @from: the lowest number that is wanted; 0 is the memory without a hint
 * @rows: where to copy them to, in the order of their numbers
 * @max: how many at most
 *
 * Return: the number of rows; less than @max if these are all.
 */
unsigned int ksm_sites_copy(struct ksm_sites *sites, u64 from,
			    struct ksm_site *rows, unsigned int max)
{
	struct ksm_site *site, *first = NULL;
	struct rb_node *node;
	unsigned int count = 0;

	if (!from && max)
		rows[count++] = sites->other;

	spin_lock(&ksm_sites_lock);
	for (node = sites->root.rb_node; node;) {
		site = rb_entry(node, struct ksm_site, node);
		if (site->site >= from) {
			first = site;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	for (node = first ? &first->node : NULL; node && count < max;
	     node = rb_next(node))
		rows[count++] = *rb_entry(node, struct ksm_site, node);
	spin_unlock(&ksm_sites_lock);
	return count;
}

#ifdef CONFIG_KSM_HINT
#define ROWS_AT_ONCE 64

/* How many pages of the vmas of an mm have a hint of this site. */
struct site_pages {
	u64 hint;
	unsigned long pages;
};

static u64 site_of(const struct site_pages *row)
{
	return FIELD_GET(KSM_HINT_SITE, row->hint);
}

static int site_pages_cmp(const void *a, const void *b)
{
	u64 left = site_of(a), right = site_of(b);

	return left < right ? -1 : left > right;
}

/*
 * The pages of all sites of an mm, one row a site, by the number of the site;
 * those without a hint only as far as they are mergeable. *count is the number
 * of rows. NULL if there is no memory for them.
 */
static struct site_pages *pages_of_sites(struct mm_struct *mm,
					 unsigned int *count)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;
	unsigned int i, n = 0, last = 0;
	struct site_pages *rows;

	rows = kvmalloc_array(mm->map_count + 1, sizeof(*rows), GFP_KERNEL);
	if (!rows)
		return NULL;
	rows[n++] = (struct site_pages){};
	for_each_vma(vmi, vma) {
		if (!vma_ksm_hint(vma)) {
			if (vma->vm_flags & VM_MERGEABLE)
				rows[0].pages += vma_pages(vma);
			continue;
		}
		rows[n++] = (struct site_pages){ vma_ksm_hint(vma), vma_pages(vma) };
	}
	sort(rows, n, sizeof(*rows), site_pages_cmp, NULL);
	for (i = 1; i < n; i++) {
		if (site_of(&rows[i]) == site_of(&rows[last]))
			rows[last].pages += rows[i].pages;
		else
			rows[++last] = rows[i];
	}
	*count = last + 1;
	return rows;
}

static void show_row(struct seq_file *m, const struct ksm_site *row,
		     unsigned long pages)
{
	seq_printf(m, "%llu %u %u %lu %lu %lu %lu %lu %lu %lu %lu %lu\n",
		   row->site, row->priority, row->stability, pages, row->merged,
		   row->unshared, row->items - row->merged - row->unshared,
		   row->merged - row->paying, row->scanned, row->zero,
		   row->cow_broken, row->skipped);
}

/* A site that has vmas, and no memory that was visited. */
static void show_pages(struct seq_file *m, const struct site_pages *pages)
{
	struct ksm_site row = {
		.site = site_of(pages),
		.priority = ksm_hint_priority(pages->hint),
		.stability = ksm_hint_stability(pages->hint),
	};

	show_row(m, &row, pages->pages);
}

/**
 * ksm_sites_show - write the table of the sites of an mm
 * @m: the file, /proc/PID/ksm_sites
 * @mm: the mm, whose address space is still there
 *
 * Return: 0, or -ENOMEM, or -EINTR.
 */
int ksm_sites_show(struct seq_file *m, struct mm_struct *mm)
{
	unsigned int i, n, done = 0, count;
	struct site_pages *pages;
	struct ksm_site *rows;
	u64 from = 0;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	pages = pages_of_sites(mm, &count);
	mmap_read_unlock(mm);
	rows = kmalloc_array(ROWS_AT_ONCE, sizeof(*rows), GFP_KERNEL);
	if (!pages || !rows) {
		kvfree(pages);
		kfree(rows);
		return -ENOMEM;
	}

	seq_puts(m, "site priority stability vm_pages merged unshared volatile saved_pages scanned zero cow_broken skipped\n");
	do {
		n = ksm_mm_sites_copy(mm, from, rows, ROWS_AT_ONCE);
		for (i = 0; i < n; i++) {
			while (done < count && site_of(&pages[done]) < rows[i].site)
				show_pages(m, &pages[done++]);
			if (done < count && site_of(&pages[done]) == rows[i].site)
				show_row(m, &rows[i], pages[done++].pages);
			else
				show_row(m, &rows[i], 0);
			from = rows[i].site + 1;
		}
	} while (n == ROWS_AT_ONCE);
	while (done < count)
		show_pages(m, &pages[done++]);

	kvfree(pages);
	kfree(rows);
	return 0;
}
#endif /* CONFIG_KSM_HINT */
