/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The common case, a block of a placed site, takes one lock, the site's, which
 * covers its counters, its slots and their runs. A block in a nursery takes
 * two, one after the other: sites come and go there, and it is the slow case.
 */
#include "placed.h"

#include "fatal.h"
#include "hint.h"
#include "keep.h"
#include "layout.h"
#include "meta.h"
#include "option.h"
#include "policy.h"
#include "sample.h"
#include "slot.h"
#include "span.h"
#include "stat.h"

#include <errno.h>
#include <string.h>

/*
 * Threads share them by their ordinal; one that no thread uses costs nothing. In the
 * shared layout each part of the process has its own, and they are advised, since
 * they are equal in all processes; blocks of sites that must not be advised lie apart then.
 */
#define NURSERIES 8
#define DENIED KSM_PARTS

struct shared_pool {
	struct ksm_pool pool;
	pthread_mutex_t lock;
};

static struct shared_pool nurseries[KSM_PARTS + 1];
static struct shared_pool private_pool;
static atomic_uint placed_pools;

static void init_shared_pool(struct shared_pool *shared, const char *name, uint32_t number)
{
	pthread_mutex_init(&shared->lock, NULL);
	shared->pool.lock = &shared->lock;
	shared->pool.name = name;
	shared->pool.site_id = number;
	shared->pool.seed = number;
	shared->pool.has_owners = true;
	ksm_keep_add_pool(&shared->pool);
}

/* Where nurseries merge, blocks that must not merge lie in one of their own. */
static bool nurseries_merge(void)
{
	return ksm_layout_is_shared() || ksm_hint_covers_process();
}

static uint32_t nursery_count(void)
{
	return nurseries_merge() ? KSM_PARTS + 1 : NURSERIES;
}

int ksm_placed_init(void)
{
	struct ksm_policy policy = ksm_policy_of_region("nursery");
	bool advise = ksm_layout_is_shared() && policy.advise;

	for (uint32_t i = 0; i < nursery_count(); i++) {
		init_shared_pool(&nurseries[i], "ksmalloc:nursery", i);
		nurseries[i].pool.part = ksm_layout_part(i);
		nurseries[i].pool.advise = advise && i != DENIED;
		nurseries[i].pool.hint = ksm_hint_word(KSMALLOC_HINT_NURSERIES, policy.priority,
						       KSMALLOC_STABILITY_UNKNOWN, true);
	}
	nurseries[DENIED].pool.is_private = true;
	init_shared_pool(&private_pool, "ksmalloc:private", KSM_PARTS + 1);
	private_pool.pool.is_private = true;
	return 0;
}

/* --- pages of a pool; its lock is held ------------------------------------------------- */

struct place {
	struct ksm_slot *slot;
	uint32_t page;
	uint32_t pages;
	uint32_t kept;	/* of its pages that may hold old bytes */
};

static bool take_in_slot(struct ksm_slot *slot, struct place *place, size_t size, uint32_t align,
			 uint16_t owner)
{
	int64_t page;

	if (slot->runs.capacity - slot->runs.used_pages < place->pages)
		return false;
	page = ksm_runs_find(&slot->runs, place->pages, align);
	if (page < 0 || ksm_slot_reserve(slot, (uint32_t)page + place->pages) != 0)
		return false;
	if (ksm_runs_take(&slot->runs, (uint32_t)page, place->pages, size, owner, &place->kept) != 0)
		return false;
	place->slot = slot;
	place->page = (uint32_t)page;
	return true;
}

/* Finds room for size bytes in the pool's slots in order, adding a slot if there is none. */
static bool take_locked(struct ksm_pool *pool, size_t size, size_t align, uint16_t owner,
			struct place *place)
{
	uint32_t align_pages = (uint32_t)ksm_max(align >> KSM_PAGE_SHIFT, 1);
	struct ksm_slot *slot;

	place->pages = (uint32_t)(ksm_align_up(ksm_max(size, 1), KSM_PAGE) >> KSM_PAGE_SHIFT);
	for (slot = pool->first; slot; slot = slot->next) {
		if (take_in_slot(slot, place, size, align_pages, owner))
			break;
	}
	if (!slot && (ksm_slot_create(pool, &slot) != 0 ||
		      !take_in_slot(slot, place, size, align_pages, owner)))
		return false;
	ksm_keep_taken(pool, place->pages, place->kept);
	return true;
}

/*
 * Clears a block from size to the end of its last page. Nothing is done for a whole page: a
 * vector memset of no bytes behind the slot's mapping costs a hundred nanoseconds.
 */
static void clear_tail(char *block, size_t size, size_t whole)
{
	if (size < whole)
		memset(block + size, 0, whole - size);
}

/*
 * Clears what must be zero of a new block: its tail, or all of it. Pages that are not
 * dirty are zero already, and writing to them would only make them resident.
 * The block is the caller's, so that no lock is needed.
 */
static void *clear_block(const struct place *place, size_t size, bool zero)
{
	char *block = ksm_slot_address(place->slot, place->page);
	size_t whole = (size_t)place->pages << KSM_PAGE_SHIFT;

	if (place->kept == 0)
		return block;
	if (zero || ksm_options.zero_reuse)
		memset(block, 0, whole);
	else
		clear_tail(block, size, whole);
	return block;
}

/* --- counters of a site; its lock is held ---------------------------------------------- */

static void count_alloc_locked(struct ksm_site *site, size_t size)
{
	struct ksmalloc_site_stats *stats = &site->record->stats;

	ksm_stat_add_locked(&stats->calls_total, 1);
	ksm_stat_add_locked(&stats->allocated_bytes_total, size);
}

static void count_live_locked(struct ksm_site *site, size_t size)
{
	struct ksmalloc_site_stats *stats = &site->record->stats;

	ksm_stat_add_locked(&stats->live_bytes, size);
	if (stats->live_bytes > stats->peak_bytes)
		ksm_stat_set(&stats->peak_bytes, stats->live_bytes);
}

/* --- the parts of a site; its lock is held ---------------------------------------------- */

/* What the site holds in a part of the process; NULL if it has nothing there. */
static struct ksm_site_part *find_part_locked(struct ksm_site *site, uint32_t number)
{
	struct ksm_site_part *part = &site->first;

	while (part && part->part != number)
		part = part->next;
	return part;
}

/* The same for the part of the current thread, which is made if need be. */
static struct ksm_site_part *obtain_part_locked(struct ksm_site *site)
{
	uint32_t number = ksm_layout_part(ksm_site_thread_ordinal());
	struct ksm_site_part *part;

	if (ksm_likely(number == 0))
		return &site->first;
	part = find_part_locked(site, number);
	if (part)
		return part;
	part = ksm_meta_alloc(sizeof(*part));
	if (!part)
		return NULL;
	part->part = number;
	part->next = site->first.next;
	site->first.next = part;
	return part;
}

/* --- the way of a site ----------------------------------------------------------------- */

/* Gives the site a pool of its own; false if there are too many or no memory. */
KSM_COLD static bool promote_locked(struct ksm_site *site, struct ksm_site_part *part)
{
	struct ksm_pool *pool;

	if (site->index != 0 && atomic_fetch_add(&placed_pools, 1) >= ksm_options.max_sites) {
		atomic_fetch_sub(&placed_pools, 1);
		return false;
	}
	pool = ksm_meta_alloc(sizeof(*pool));
	if (!pool) {
		atomic_fetch_sub(&placed_pools, site->index != 0);
		return false;
	}
	pool->lock = &site->lock;
	pool->site_id = site->id;
	pool->seed = site->id + ((uint64_t)part->part << 48);
	pool->site = site->index;
	pool->part = part->part;
	pool->advise = site->advise;
	ksm_sample_adopt_locked(site, pool);
	ksm_keep_add_pool(pool);
	part->pool = pool;
	if (site->record->state != KSMALLOC_SITE_PLACED)
		ksm_stat_add(&ksm_stat->header.stats.placed_sites, 1);
	__atomic_store_n(&site->record->state, KSMALLOC_SITE_PLACED, __ATOMIC_RELAXED);
	return true;
}

enum decision {
	TO_SLOT,
	TO_NURSERY,
	TO_OTHER,	/* the site should be placed and cannot be */
};

/* Where the next block of a site without a slot goes. */
KSM_COLD static enum decision decide_locked(struct ksm_site *site, struct ksm_site_part *part,
					    size_t size, enum ksm_placed_kind kind)
{
	if (kind != KSM_PLACED_MERGEABLE && part->held_bytes + size < ksm_options.site_bytes)
		return TO_NURSERY;
	return promote_locked(site, part) ? TO_SLOT : TO_OTHER;
}

static struct ksm_pool *nursery_for(const struct ksm_site *site)
{
	uint32_t ordinal = ksm_site_thread_ordinal();

	if (!site->advise && nurseries_merge())
		return &nurseries[DENIED].pool;
	return &nurseries[ordinal % (ksm_layout_is_shared() ? KSM_PARTS : NURSERIES)].pool;
}

/* Allocates in a pool that many sites share, and marks the block with its site. */
static void *alloc_shared(struct ksm_pool *pool, struct ksm_site *site, size_t size, size_t align,
			  bool zero)
{
	struct place place;
	bool taken;

	pthread_mutex_lock(pool->lock);
	taken = take_locked(pool, size, align, (uint16_t)site->index, &place);
	pthread_mutex_unlock(pool->lock);
	return taken ? clear_block(&place, size, zero) : NULL;
}

/*
 * Turns the segment into a file now that there is something to report. All
 * writers of statistics hold a site's lock or a nursery's.
 */
KSM_COLD static void publish(void)
{
	ksm_site_lock_all();
	ksm_placed_lock_nurseries();
	if (ksm_stat_must_publish())
		ksm_stat_publish();
	ksm_placed_unlock_nurseries();
	ksm_site_unlock_all();
}

/*
 * A process without a slot is worth a segment once it has mapped more than shells do, if what it
 * mapped merges too.
 */
#define WORTH_A_SEGMENT (32 * KSM_MIB)

static bool has_much_mapped(void)
{
	const struct ksmalloc_process_stats *stats = &ksm_stat->header.stats;

	return ksm_layout_is_shared() &&
	       stats->heap_mapped_bytes + stats->mmap_live_bytes >= WORTH_A_SEGMENT;
}

static void *alloc_nursery(struct ksm_site *site, size_t size, size_t align, bool zero)
{
	struct ksm_pool *pool = nursery_for(site);
	void *block = alloc_shared(pool, site, size, align, zero);

	if (!block)
		return NULL;
	pthread_mutex_lock(&site->lock);
	find_part_locked(site, pool->part)->held_bytes += size;
	count_live_locked(site, size);
	pthread_mutex_unlock(&site->lock);
	return block;
}

void *ksm_placed_alloc(struct ksm_site *site, size_t size, size_t align, bool zero,
		       enum ksm_placed_kind kind)
{
	enum decision decision = TO_SLOT;
	struct ksm_site_part *part;
	struct place place;
	bool taken = false;
	bool sample = false;

	if (size > UINT64_C(1) << ksm_span_slot_shift() || align > KSM_SPAN_ALIGNMENT)
		return NULL;
	pthread_mutex_lock(&site->lock);
	part = obtain_part_locked(site);
	if (ksm_unlikely(!part)) {
		pthread_mutex_unlock(&site->lock);
		return NULL;
	}
	if (ksm_unlikely(!part->pool))
		decision = decide_locked(site, part, size, kind);
	if (ksm_likely(decision == TO_SLOT)) {
		taken = take_locked(part->pool, size, align, 0, &place);
		if (taken) {
			count_live_locked(site, size);
			ksm_stat_add_locked(&site->record->stats.placed_bytes,
					    (uint64_t)place.pages << KSM_PAGE_SHIFT);
			sample = ksm_sample_charge_locked(part->pool, place.pages);
		}
	}
	if (decision != TO_OTHER)
		count_alloc_locked(site, size);
	pthread_mutex_unlock(&site->lock);

	if (ksm_unlikely(decision == TO_OTHER)) {
		ksm_stat_add(&ksm_stat->header.stats.sites_dropped_total, 1);
		/* Site other itself is turned down only for want of memory. */
		return site->index == 0 ? NULL :
					  ksm_placed_alloc(ksm_site_at(0), size, align, zero, kind);
	}
	if (decision == TO_NURSERY) {
		if (ksm_unlikely(ksm_stat_must_publish()) && has_much_mapped())
			publish();
		return alloc_nursery(site, size, align, zero);
	}
	if (!taken)
		return NULL;
	if (ksm_unlikely(ksm_stat_must_publish()))
		publish();
	if (ksm_unlikely(sample))
		ksm_sample_turn(site);
	return clear_block(&place, size, zero);
}

void *ksm_placed_alloc_private(struct ksm_site *site, size_t size)
{
	void *block;

	if (size > UINT64_C(1) << ksm_span_slot_shift())
		return NULL;
	block = alloc_shared(&private_pool.pool, site, size, KSM_PAGE, true);
	if (!block)
		return NULL;
	pthread_mutex_lock(&site->lock);
	count_alloc_locked(site, size);
	count_live_locked(site, size);
	pthread_mutex_unlock(&site->lock);
	return block;
}

/* --- blocks by address ------------------------------------------------------------------ */

struct found {
	struct ksm_slot *slot;
	uint32_t page;
	uint32_t pages;
	uint64_t bytes;
	uint16_t owner;
};

static struct ksm_slot *slot_of(const void *block)
{
	struct ksm_slot *slot = ksm_span_slot_at(block);

	if (ksm_unlikely(!slot))
		ksm_fatal(KSM_FATAL_INVALID);
	if (ksm_unlikely((uintptr_t)block & (KSM_PAGE - 1)))
		ksm_fatal(KSM_FATAL_MISALIGNED);
	return slot;
}

/* Finds the block that starts at the address, or none: 0 pages. The pool's lock is held. */
static void look_locked(struct ksm_slot *slot, const void *block, struct found *found)
{
	found->slot = slot;
	found->page = (uint32_t)(((uintptr_t)block - slot->base) >> KSM_PAGE_SHIFT);
	found->pages = ksm_runs_block(&slot->runs, found->page, &found->bytes, &found->owner);
}

/* The same; it is an error if there is none. */
static void find_locked(struct ksm_slot *slot, const void *block, struct found *found)
{
	look_locked(slot, block, found);
	if (ksm_likely(found->pages > 0))
		return;
	if (found->page >= slot->mapped_pages || ksm_runs_is_used(&slot->runs, found->page))
		ksm_fatal(KSM_FATAL_INVALID);
	ksm_fatal(KSM_FATAL_DOUBLE_FREE);
}

/* A block of a shared pool is gone. */
static void count_shared_free(struct ksm_pool *pool, struct ksm_site *site, uint64_t bytes)
{
	pthread_mutex_lock(&site->lock);
	ksm_stat_add_locked(&site->record->stats.frees_total, 1);
	ksm_stat_sub_locked(&site->record->stats.live_bytes, bytes);
	if (pool != &private_pool.pool)
		find_part_locked(site, pool->part)->held_bytes -= bytes;
	pthread_mutex_unlock(&site->lock);
}

void ksm_placed_free(void *block)
{
	struct ksm_slot *slot = slot_of(block);
	struct ksm_pool *pool = slot->pool;
	struct found found;

	pthread_mutex_lock(pool->lock);
	find_locked(slot, block, &found);
	ksm_runs_release(&slot->runs, found.page);
	ksm_keep_freed(pool, found.pages);
	if (!pool->has_owners) {
		struct ksmalloc_site_stats *stats = &ksm_stat->sites[pool->site].stats;

		ksm_stat_add_locked(&stats->frees_total, 1);
		ksm_stat_sub_locked(&stats->live_bytes, found.bytes);
		ksm_stat_sub_locked(&stats->placed_bytes, (uint64_t)found.pages << KSM_PAGE_SHIFT);
	}
	pthread_mutex_unlock(pool->lock);
	if (pool->has_owners)
		count_shared_free(pool, ksm_site_at(found.owner), found.bytes);
}

static void describe(const struct found *found, struct ksm_placed_block *result)
{
	const struct ksm_pool *pool = found->slot->pool;

	result->site = ksm_site_at(pool->has_owners ? found->owner : pool->site);
	result->usable = (size_t)found->pages << KSM_PAGE_SHIFT;
	result->is_private = pool == &private_pool.pool;
}

void ksm_placed_describe(const void *block, struct ksm_placed_block *result)
{
	struct ksm_slot *slot = slot_of(block);
	struct ksm_pool *pool = slot->pool;
	struct found found;

	pthread_mutex_lock(pool->lock);
	find_locked(slot, block, &found);
	pthread_mutex_unlock(pool->lock);
	describe(&found, result);
}

int ksm_placed_find(const void *block, struct ksm_placed_block *result)
{
	struct ksm_slot *slot = ksm_span_slot_at(block);
	struct found found;

	if (!slot || (uintptr_t)block & (KSM_PAGE - 1))
		return -EINVAL;
	pthread_mutex_lock(slot->pool->lock);
	look_locked(slot, block, &found);
	pthread_mutex_unlock(slot->pool->lock);
	if (found.pages == 0)
		return -EINVAL;
	describe(&found, result);
	return 0;
}

/* A tracked block must not grow past the size at which its site would be placed. */
static bool may_grow(const struct ksm_pool *pool, const struct found *found, size_t size)
{
	return !pool->has_owners || pool == &private_pool.pool || size <= found->bytes ||
	       size < ksm_options.site_bytes;
}

static bool resize_locked(struct ksm_slot *slot, struct found *found, uint32_t pages, size_t size)
{
	uint32_t kept = 0;

	if (!ksm_runs_can_resize(&slot->runs, found->page, pages) ||
	    ksm_slot_reserve(slot, found->page + pages) != 0 ||
	    ksm_runs_resize(&slot->runs, found->page, pages, size, &kept) != 0)
		return false;
	if (pages > found->pages)
		ksm_keep_taken(slot->pool, pages - found->pages, kept);
	else if (pages < found->pages)
		ksm_keep_freed(slot->pool, found->pages - pages);
	return true;
}

static void count_resize_locked(struct ksm_site *site, const struct found *found, uint32_t pages,
				size_t size, bool placed)
{
	struct ksmalloc_site_stats *stats = &site->record->stats;

	ksm_stat_sub_locked(&stats->live_bytes, found->bytes);
	count_live_locked(site, size);
	if (placed)
		ksm_stat_add_locked(&stats->placed_bytes,
				    ((uint64_t)pages - found->pages) << KSM_PAGE_SHIFT);
	else if (found->slot->pool != &private_pool.pool)
		find_part_locked(site, found->slot->pool->part)->held_bytes += size - found->bytes;
}

bool ksm_placed_resize(void *block, size_t size)
{
	struct ksm_slot *slot = slot_of(block);
	struct ksm_pool *pool = slot->pool;
	uint32_t pages;
	struct found found;
	bool done = false;
	bool sample = false;

	if (size > UINT64_C(1) << ksm_span_slot_shift())
		return false;
	pages = (uint32_t)(ksm_align_up(size, KSM_PAGE) >> KSM_PAGE_SHIFT);
	pthread_mutex_lock(pool->lock);
	find_locked(slot, block, &found);
	if (may_grow(pool, &found, size))
		done = resize_locked(slot, &found, pages, size);
	if (done && !pool->has_owners) {
		count_resize_locked(ksm_site_at(pool->site), &found, pages, size, true);
		sample = pages > found.pages &&
			 ksm_sample_charge_locked(pool, pages - found.pages);
	}
	pthread_mutex_unlock(pool->lock);
	if (!done)
		return false;
	if (ksm_unlikely(sample))
		ksm_sample_turn(ksm_site_at(pool->site));
	if (pool->has_owners) {
		struct ksm_site *site = ksm_site_at(found.owner);

		pthread_mutex_lock(&site->lock);
		count_resize_locked(site, &found, pages, size, false);
		pthread_mutex_unlock(&site->lock);
	}
	/* Old bytes of this block, or of an earlier one of the same pool, may lie in the tail. */
	clear_tail(block, size, (size_t)pages << KSM_PAGE_SHIFT);
	return true;
}

void ksm_placed_count_move(struct ksm_site *site)
{
	pthread_mutex_lock(&site->lock);
	ksm_stat_add_locked(&site->record->stats.moved_total, 1);
	pthread_mutex_unlock(&site->lock);
}

void ksm_placed_lock_nurseries(void)
{
	for (uint32_t i = 0; i < nursery_count(); i++)
		pthread_mutex_lock(&nurseries[i].lock);
	pthread_mutex_lock(&private_pool.lock);
}

void ksm_placed_unlock_nurseries(void)
{
	pthread_mutex_unlock(&private_pool.lock);
	for (uint32_t i = nursery_count(); i > 0; i--)
		pthread_mutex_unlock(&nurseries[i - 1].lock);
}

void ksm_placed_postfork_child(void)
{
	for (uint32_t i = 0; i < nursery_count(); i++)
		pthread_mutex_init(&nurseries[i].lock, NULL);
	pthread_mutex_init(&private_pool.lock, NULL);
}
