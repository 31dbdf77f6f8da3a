/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The common case is the thread's magazine, which heap asks first. What comes here, a block of
 * a size that is not at hand or of new memory, takes one lock in a slot, the site's, which
 * covers its counters, its slots and their runs. A block in a nursery takes
 * two, one after the other: sites come and go there.
 */
#include "block/placed.h"

#include "block/block.h"
#include "segment/hint.h"
#include "slot/keep.h"
#include "layout/layout.h"
#include "system/lock.h"
#include "block/magazine.h"
#include "block/marked.h"
#include "system/meta.h"
#include "block/nursery.h"
#include "system/option.h"
#include "block/place.h"
#include "slot/sample.h"
#include "slot/slot.h"
#include "layout/span.h"
#include "segment/stat.h"
#include "layout/stream.h"

#include <errno.h>
#include <string.h>

static atomic_uint placed_pools;

int ksm_placed_init(void)
{
	ksm_nursery_init();
	return ksm_thread_init(ksm_magazine_retire);
}

/* --- counters of a site; its lock is held ---------------------------------------------- */

/* Counts a new block, in the thread's tally if it has a magazine there. */
static void count_alloc_locked(struct ksm_site *site, struct ksm_magazine *magazine, size_t size)
{
	struct ksmalloc_site_stats *stats = &site->record->stats;

	if (magazine) {
		if (ksm_magazine_count_alloc(magazine->tally, size).live > magazine->high_water)
			ksm_magazine_note_own_peak_locked(magazine);
		return;
	}
	ksm_stat_add_locked(&stats->calls_total, 1);
	ksm_stat_add_locked(&stats->allocated_bytes_total, size);
	ksm_stat_add_locked(&stats->live_bytes, size);
	ksm_magazine_note_peak_locked(site);
}

static void count_free_locked(struct ksm_site *site, uint64_t bytes)
{
	ksm_stat_add_locked(&site->record->stats.frees_total, 1);
	ksm_stat_sub_locked(&site->record->stats.live_bytes, bytes);
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
	uint32_t number = ksm_stream_part();
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
	bool is_instead = ksm_site_instead_of(site) == site;
	struct ksm_pool *pool;

	if (!is_instead && atomic_fetch_add(&placed_pools, 1) >= ksm_options.max_sites) {
		atomic_fetch_sub(&placed_pools, 1);
		return false;
	}
	pool = ksm_meta_alloc(sizeof(*pool));
	if (!pool) {
		atomic_fetch_sub(&placed_pools, !is_instead);
		return false;
	}
	pool->lock = &site->lock;
	pool->site_id = site->id;
	pool->seed = site->id + ((uint64_t)part->part << 48);
	pool->site = site->index;
	pool->part = part->part;
	pool->advise = site->advise;
	pool->is_exempt = !site->advise && ksm_hint_covers_process();
	ksm_sample_adopt_locked(site, pool);
	ksm_keep_add_pool(pool);
	__atomic_store_n(&part->pool, pool, __ATOMIC_RELEASE);
	if (site->record->state != KSMALLOC_SITE_PLACED)
		ksm_stat_add(&ksm_stat->header.stats.placed_sites, 1);
	__atomic_store_n(&site->record->state, KSMALLOC_SITE_PLACED, __ATOMIC_RELAXED);
	return true;
}

enum decision {
	TO_SLOT,
	TO_NURSERY,
	TO_OTHER,	/* the site should be placed and cannot be */
	TO_JEMALLOC,	/* there is no memory to keep track of it */
};

/* Where the next block of a site without a slot goes. */
KSM_COLD static enum decision decide_locked(struct ksm_site *site, struct ksm_site_part *part,
					    size_t size, enum ksm_placed_kind kind)
{
	uint64_t held = part->held_pages << KSM_PAGE_SHIFT;

	if (kind != KSM_PLACED_MERGEABLE && held + size < ksm_options.site_bytes)
		return TO_NURSERY;
	return promote_locked(site, part) ? TO_SLOT : TO_OTHER;
}

/* --- magazines --------------------------------------------------------------------------- */

/* Where the current thread's blocks of the site lie. The part is made if need be. */
static bool find_home(struct ksm_site *site, struct ksm_magazine_home *home)
{
	ksm_lock_take(&site->lock);
	home->part = obtain_part_locked(site);
	pthread_mutex_unlock(&site->lock);
	if (!home->part)
		return false;
	home->placed_pool = __atomic_load_n(&home->part->pool, __ATOMIC_ACQUIRE);
	home->pool = home->placed_pool ? home->placed_pool : ksm_nursery_of(site);
	return true;
}

/* The current thread's magazine for the site, at its right home; NULL if it can have none. */
static struct ksm_magazine *obtain_magazine(struct ksm_site *site)
{
	struct ksm_thread *thread = ksm_thread_self;
	struct ksm_magazine *magazine = thread ? thread->magazines[site->index] : NULL;
	struct ksm_magazine_home home;

	if (ksm_likely(magazine) &&
	    ksm_likely(ksm_magazine_is_at_home(magazine)))
		return magazine;
	if (!thread || !find_home(site, &home))
		return magazine;
	if (!magazine)
		return ksm_magazine_create(thread, site, &home);
	ksm_magazine_move(thread, magazine, &home);
	return magazine;
}

/* A run that this thread has at hand, or that others have returned: for calls that heap did not ask for. */
static void *take_again(struct ksm_magazine *magazine, size_t size)
{
	struct ksm_thread *thread = ksm_thread_self;
	void *block = ksm_magazine_take(thread, magazine, size);

	return block ? block : ksm_magazine_take_returned(thread, magazine, size);
}

/* --- allocating -------------------------------------------------------------------------- */

/* Allocates in a pool that many sites share, and marks the block with its site. */
static void *alloc_shared(struct ksm_pool *pool, struct ksm_site *site, size_t size, size_t align,
			  bool zero, uint32_t *pages)
{
	const struct ksm_place_wish wish = { .size = size, .align = align, .owner = (uint16_t)site->index };
	struct ksm_place place;
	bool taken;

	ksm_lock_take(pool->lock);
	taken = ksm_place_take_locked(pool, &wish, &place);
	pthread_mutex_unlock(pool->lock);
	*pages = place.pages;
	return taken ? ksm_place_clear(&place, size, zero) : NULL;
}

/*
 * Turns the segment into a file now that there is something to report. All
 * writers of statistics hold a site's lock or a nursery's.
 */
KSM_COLD static void publish(void)
{
	ksm_site_lock_all();
	ksm_nursery_lock_all();
	if (ksm_stat_must_publish())
		ksm_stat_publish();
	ksm_nursery_unlock_all();
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

static void *alloc_nursery(struct ksm_site *site, struct ksm_magazine *magazine, size_t size,
			   size_t align, bool zero)
{
	struct ksm_pool *pool = ksm_nursery_of(site);
	uint32_t pages;
	void *block;

	if (ksm_unlikely(ksm_stat_must_publish()) && has_much_mapped())
		publish();
	block = alloc_shared(pool, site, size, align, zero, &pages);
	if (!block)
		return NULL;
	ksm_keep_settle();
	ksm_lock_take(&site->lock);
	ksm_stat_add_locked(&find_part_locked(site, pool->part)->held_pages, pages);
	count_alloc_locked(site, magazine, size);
	pthread_mutex_unlock(&site->lock);
	return block;
}

/*
 * Where a block of the site goes: its own slot, which it may get now. What the thread has in its
 * magazine is not held by the site: it goes back to the nursery before the site is judged.
 */
KSM_COLD static enum decision decide(struct ksm_site *site, struct ksm_magazine *magazine,
				     size_t size, enum ksm_placed_kind kind)
{
	enum decision decision = TO_OTHER;
	struct ksm_site_part *part;

	if (magazine)
		ksm_magazine_flush(ksm_thread_self, magazine, 0);
	ksm_lock_take(&site->lock);
	part = obtain_part_locked(site);
	if (part)
		decision = part->pool ? TO_SLOT : decide_locked(site, part, size, kind);
	pthread_mutex_unlock(&site->lock);
	return part ? decision : TO_JEMALLOC;
}

/* Takes the site's lock and returns NULL; or a block that this thread has at hand where it would have to sleep. */
static void *lock_or_take_part(struct ksm_site *site, struct ksm_magazine *magazine, size_t size, size_t align,
			       enum ksm_placed_kind kind)
{
	void *block = NULL;

	if (ksm_likely(ksm_lock_try(&site->lock)))
		return NULL;
	if (magazine && align <= KSM_PAGE && kind == KSM_PLACED_USUAL)
		block = ksm_magazine_take_part(ksm_thread_self, magazine, size);
	if (!block)
		pthread_mutex_lock(&site->lock);
	return block;
}

/* What grows step by step is copied often below this size, which costs little. */
#define LARGE_TO_COPY KSM_MIB

static void *alloc_slot(struct ksm_site *site, struct ksm_magazine *magazine, size_t size,
			size_t align, bool zero, enum ksm_placed_kind kind)
{
	const struct ksm_place_wish wish = {
		.size = size, .align = align,
		.grows = kind == KSM_PLACED_GROWN && size >= LARGE_TO_COPY,
		.prefers_newest = kind == KSM_PLACED_USUAL && align <= KSM_PAGE,
	};
	struct ksm_place place;
	struct ksm_pool *pool;
	bool sample = false;
	bool taken;
	void *block;

	block = lock_or_take_part(site, magazine, size, align, kind);
	if (ksm_unlikely(block))
		return zero ? memset(block, 0, size) : block;
	pool = find_part_locked(site, ksm_stream_part())->pool;
	taken = ksm_place_take_locked(pool, &wish, &place);
	if (taken) {
		count_alloc_locked(site, magazine, size);
		ksm_stat_add_locked(&site->record->stats.placed_bytes,
				    (uint64_t)place.pages << KSM_PAGE_SHIFT);
		/* What lies behind a block that grows is for that block. */
		if (magazine && kind == KSM_PLACED_USUAL && place.kept == place.pages)
			ksm_magazine_refill_locked(ksm_thread_self, magazine, place.slot, place.page, place.pages);
		sample = ksm_sample_charge_locked(pool, place.pages);
	}
	pthread_mutex_unlock(&site->lock);
	if (!taken)
		return NULL;
	if (ksm_unlikely(ksm_stat_must_publish()))
		publish();
	if (ksm_unlikely(sample))
		ksm_sample_turn(site);
	ksm_keep_settle();
	return ksm_place_clear(&place, size, zero);
}

/* True if the site has no slot yet for the current thread, and need not get one for this block. */
static bool stays_in_nursery(const struct ksm_magazine *magazine, size_t size,
			     enum ksm_placed_kind kind)
{
	uint64_t held;

	if (!magazine || magazine->placed_pool || kind == KSM_PLACED_MERGEABLE)
		return false;
	held = __atomic_load_n(&magazine->part->held_pages, __ATOMIC_RELAXED) << KSM_PAGE_SHIFT;
	return held + size < ksm_options.site_bytes;
}

void *ksm_placed_alloc(struct ksm_site *site, size_t size, size_t align, bool zero,
		       enum ksm_placed_kind kind)
{
	struct ksm_magazine *magazine;
	enum decision decision = TO_SLOT;

	if (size > UINT64_C(1) << ksm_span_slot_shift() || align > KSM_SPAN_ALIGNMENT)
		return NULL;
	magazine = obtain_magazine(site);
	if (align <= KSM_PAGE && kind == KSM_PLACED_USUAL) {
		void *block = take_again(magazine, size);

		if (block)
			return zero ? memset(block, 0, size) : block;
	}
	if (stays_in_nursery(magazine, size, kind))
		decision = TO_NURSERY;
	else if (!magazine || !magazine->placed_pool)
		decision = decide(site, magazine, size, kind);
	switch (decision) {
	case TO_SLOT:
		return alloc_slot(site, magazine, size, align, zero, kind);
	case TO_NURSERY:
		return alloc_nursery(site, magazine, size, align, zero);
	case TO_OTHER:
		ksm_stat_add(&ksm_stat->header.stats.sites_dropped_total, 1);
		/* What takes the place of others is turned down only for want of memory. */
		if (ksm_site_instead_of(site) == site)
			return NULL;
		return ksm_placed_alloc(ksm_site_instead_of(site), size, align, zero, kind);
	case TO_JEMALLOC:
		break;
	}
	return NULL;
}

void *ksm_placed_alloc_private(struct ksm_site *site, size_t size)
{
	uint32_t pages;
	void *block;

	if (size > UINT64_C(1) << ksm_span_slot_shift())
		return NULL;
	block = alloc_shared(ksm_nursery_private(), site, size, KSM_PAGE, true, &pages);
	if (!block)
		return NULL;
	ksm_lock_take(&site->lock);
	count_alloc_locked(site, NULL, size);
	pthread_mutex_unlock(&site->lock);
	return block;
}

/* --- freeing ----------------------------------------------------------------------------- */

/*
 * Frees pages whose rights or flags the program has changed: new ones take their place. Where the kernel
 * refuses, the run stays in use for ever: nobody may get it as it is. The pool's lock is held.
 */
KSM_COLD static void release_altered_locked(const struct ksm_block *found)
{
	struct ksm_slot *slot = found->slot;

	if (ksm_slot_renew(slot, found->page, found->pages) != 0) {
		__atomic_store_n(found->entry, KSM_RUN_ASIDE, __ATOMIC_RELAXED);
		return;
	}
	ksm_runs_release(&slot->runs, found->page);
	ksm_runs_clean(&slot->runs, found->page, found->pages);
	ksm_keep_renewed(slot->pool, found->pages);
}

/* Gives the block to its pool at once. */
static void release(const struct ksm_block *found)
{
	struct ksm_pool *pool = found->slot->pool;
	struct ksm_site *site = ksm_site_at(found->site);

	ksm_lock_take(pool->lock);
	if (ksm_slot_is_altered(found->slot, found->page, found->pages)) {
		release_altered_locked(found);
	} else {
		ksm_runs_release(&found->slot->runs, found->page);
		ksm_keep_freed(pool, found->pages);
	}
	if (!pool->has_owners) {
		count_free_locked(site, found->bytes);
		ksm_stat_sub_locked(&site->record->stats.placed_bytes,
				    (uint64_t)found->pages << KSM_PAGE_SHIFT);
	}
	pthread_mutex_unlock(pool->lock);
	if (!pool->has_owners)
		return;
	ksm_lock_take(&site->lock);
	count_free_locked(site, found->bytes);
	if (pool != ksm_nursery_private())
		ksm_stat_sub_locked(&find_part_locked(site, pool->part)->held_pages, found->pages);
	pthread_mutex_unlock(&site->lock);
}

void ksm_placed_free(void *block)
{
	struct ksm_thread *thread = ksm_thread_obtain_to_free();
	struct ksm_slot *slot = ksm_block_slot(block);
	struct ksm_magazine *magazine = NULL;
	struct ksm_block found;

	ksm_block_find(slot, block, &found);
	if (ksm_unlikely(found.is_marked))
		ksm_marked_clear(block, &found);
	if (slot->pool != ksm_nursery_private())
		magazine = obtain_magazine(ksm_site_at(found.site));
	if (magazine && magazine->pool == slot->pool &&
	    !ksm_slot_is_altered(slot, found.page, found.pages) &&
	    ksm_magazine_make_room(thread, magazine, found.pages))
		ksm_magazine_put_run(thread, magazine, block, found.entry, found.value);
	else
		release(&found);
}

/* --- resizing ---------------------------------------------------------------------------- */

/* A tracked block must not grow past the size at which its site would be placed. */
static bool may_grow(const struct ksm_pool *pool, const struct ksm_block *found, size_t size)
{
	return !pool->has_owners || pool == ksm_nursery_private() || size <= found->bytes ||
	       size < ksm_options.site_bytes;
}

static bool resize_locked(struct ksm_slot *slot, struct ksm_block *found, uint32_t pages, size_t size)
{
	uint32_t kept = 0;

	if (!ksm_runs_can_resize(&slot->runs, found->page, pages) ||
	    ksm_slot_reserve(slot, found->page + pages) != 0 ||
	    ksm_runs_resize(&slot->runs, found->page, pages, size, &kept) != 0)
		return false;
	if (pages > found->pages)
		ksm_keep_taken(slot, found->page + found->pages, pages - found->pages, kept, pages);
	else if (pages < found->pages)
		ksm_keep_freed(slot->pool, found->pages - pages);
	return true;
}

static void count_resize_locked(struct ksm_site *site, const struct ksm_block *found, uint32_t pages,
				size_t size)
{
	struct ksmalloc_site_stats *stats = &site->record->stats;
	struct ksm_pool *pool = found->slot->pool;

	ksm_stat_add_locked(&stats->live_bytes, size - found->bytes);
	if (size > found->bytes)
		ksm_magazine_note_peak_locked(site);
	if (!pool->has_owners)
		ksm_stat_add_locked(&stats->placed_bytes,
				    ((uint64_t)pages - found->pages) << KSM_PAGE_SHIFT);
	else if (pool != ksm_nursery_private())
		ksm_stat_add_locked(&find_part_locked(site, pool->part)->held_pages,
				    (uint64_t)pages - found->pages);
}

static bool resize(struct ksm_block *found, uint32_t pages, size_t size)
{
	struct ksm_pool *pool = found->slot->pool;
	struct ksm_site *site = ksm_site_at(found->site);
	bool sample = false;
	bool done;

	ksm_lock_take(pool->lock);
	done = resize_locked(found->slot, found, pages, size);
	if (done && !pool->has_owners) {
		count_resize_locked(site, found, pages, size);
		sample = pages > found->pages &&
			 ksm_sample_charge_locked(pool, pages - found->pages);
	}
	pthread_mutex_unlock(pool->lock);
	if (ksm_unlikely(sample))
		ksm_sample_turn(site);
	if (done && pool->has_owners) {
		ksm_lock_take(&site->lock);
		count_resize_locked(site, found, pages, size);
		pthread_mutex_unlock(&site->lock);
	}
	return done;
}

/* The entry has no mark meanwhile. */
static bool resize_unmarked(void *block, struct ksm_block *its, size_t size)
{
	uint32_t pages = (uint32_t)ksm_run_pages_for(size);
	struct ksm_slot *slot = its->slot;
	struct ksm_block found = *its;
	struct ksm_magazine *magazine;

	/* What the program did to its pages stays with them, so the block does not change them. */
	if (!may_grow(slot->pool, &found, size) || ksm_slot_is_altered(slot, found.page, found.pages))
		return false;
	if (!resize(&found, pages, size)) {
		/* What lies behind it may be a run that this thread has at hand. */
		magazine = ksm_thread_self ? ksm_thread_self->magazines[found.site] : NULL;
		if (!magazine || magazine->held.count == 0)
			return false;
		ksm_magazine_flush(ksm_thread_self, magazine, 0);
		if (!resize(&found, pages, size))
			return false;
	}
	/* Old bytes of this block, or of an earlier one of the same pool, may lie in the tail. */
	ksm_place_clear_tail(block, size, (size_t)pages << KSM_PAGE_SHIFT);
	return true;
}

bool ksm_placed_resize(void *block, size_t size)
{
	struct ksm_block found;
	bool done;

	if (size > UINT64_C(1) << ksm_span_slot_shift())
		return false;
	ksm_block_find(ksm_block_slot(block), block, &found);
	if (ksm_likely(!found.is_marked))
		return resize_unmarked(block, &found, size);
	ksm_marked_lift(&found);
	done = resize_unmarked(block, &found, size);
	ksm_marked_put_back(block, &found, done ? (uint32_t)ksm_run_pages_for(size) : found.pages);
	return done;
}

void ksm_placed_count_move(struct ksm_site *site)
{
	ksm_lock_take(&site->lock);
	ksm_stat_add_locked(&site->record->stats.moved_total, 1);
	pthread_mutex_unlock(&site->lock);
}
