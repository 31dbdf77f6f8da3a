/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/magazine.h"

#include "block/budget.h"
#include "slot/keep.h"
#include "layout/layout.h"
#include "system/lock.h"
#include "system/meta.h"
#include "block/newest.h"
#include "system/option.h"
#include "block/returned.h"
#include "slot/sample.h"
#include "system/steps.h"

/* Runs that go from one thread to another, or to the pool, at once. */
#define PART_RUNS 16u

/* What the pool gives at once is not more than that many pages. */
#define REFILL_PAGES 256u

/* What a call that a magazine served is worth for sampling, in pages. */
#define SAMPLE_PAGES 16u

static struct {
	pthread_mutex_t lock; /* Protects unused. */
	struct ksm_magazine *unused; /* LIFO, by next; with their tallies */
} magazines = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* --- lists ------------------------------------------------------------------------------- */

static struct ksm_magazine *obtain_unused(void)
{
	struct ksmalloc_segment_tally *tally;
	struct ksm_magazine *magazine;

	pthread_mutex_lock(&magazines.lock);
	magazine = magazines.unused;
	if (magazine)
		magazines.unused = magazine->next;
	pthread_mutex_unlock(&magazines.lock);
	if (magazine)
		return magazine;
	tally = ksm_stat_add_tally();
	magazine = tally ? ksm_meta_alloc(sizeof(*magazine)) : NULL;
	if (magazine)
		magazine->tally = tally;
	return magazine;
}

static void settle_at(struct ksm_magazine *magazine, const struct ksm_magazine_home *home)
{
	magazine->part = home->part;
	magazine->pool = home->pool;
	magazine->placed_pool = home->placed_pool;
	magazine->weight = home->placed_pool ? KSM_PAGE : 0;
}

struct ksm_magazine *ksm_magazine_create(struct ksm_thread *thread, struct ksm_site *site,
					 const struct ksm_magazine_home *home)
{
	struct ksm_magazine *magazine;

	/* What a tally counts while the segment becomes a file could be lost. */
	if (ksm_stat_must_publish() || (thread->budget_pages == 0 && !ksm_budget_raise(thread)))
		return NULL;
	magazine = obtain_unused();
	if (!magazine)
		return NULL;
	magazine->site = site;
	magazine->index = site->index;
	magazine->held.count = 0;
	magazine->evicted = false;
	magazine->limit = KSM_STOCK_RUNS;
	magazine->calls_when_given = 0;
	magazine->frees_when_taken = 0;
	magazine->peak_water = magazine->high_water = 0;
	magazine->ask_above = ksm_magazine_step(magazine);
	settle_at(magazine, home);
	__atomic_store_n(&magazine->tally->site, site->index, __ATOMIC_RELAXED);
	if (thread->first) {
		magazine->next = thread->first->next;
		thread->first->next = magazine;
	} else {
		magazine->next = magazine;
		thread->first = magazine;
	}
	ksm_lock_take(&site->lock);
	__atomic_store_n(&magazine->next_of_site, site->magazines, __ATOMIC_RELAXED);
	__atomic_store_n(&site->magazines, magazine, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&site->lock);
	thread->magazines[site->index] = magazine;
	return magazine;
}

void ksm_magazine_move(struct ksm_thread *thread, struct ksm_magazine *magazine,
		       const struct ksm_magazine_home *home)
{
	ksm_magazine_flush(thread, magazine, 0);
	settle_at(magazine, home);
}

/* --- pools ------------------------------------------------------------------------------ */

/* Runs that lie side by side, which the pool gets back as one. */
struct side_by_side {
	struct ksm_slot *slot;
	uint32_t page, pages;
	uint32_t length;	/* of each of them, 0 if they differ */
	bool falls;		/* the last one that was added is the lowest */
};

static struct side_by_side place_of(const void *block, uint32_t pages)
{
	struct ksm_slot *slot = ksm_span_slot_at(block);
	uint32_t page = (uint32_t)(((uintptr_t)block - slot->base) >> KSM_PAGE_SHIFT);

	return (struct side_by_side){ slot, page, pages, pages, false };
}

static void release_joined_locked(const struct side_by_side *joined)
{
	if (joined->pages == 0)
		return;
	ksm_runs_release_aside(&joined->slot->runs, joined->page, joined->pages);
	ksm_newest_note_locked(joined->slot, joined->page, joined->pages, joined->length, joined->falls);
}

/* Adds a run, or begins anew with it where it lies apart. */
static void join_locked(struct side_by_side *joined, const struct ksm_stock_run *run, uint32_t pages)
{
	const struct side_by_side place = place_of(run->block, pages);

	__atomic_store_n(run->entry, 0, __ATOMIC_RELAXED);
	if (place.slot == joined->slot && place.page == joined->page + joined->pages) {
		joined->falls = false;
	} else if (place.slot == joined->slot && place.page + pages == joined->page) {
		joined->page = place.page;
		joined->falls = true;
	} else {
		release_joined_locked(joined);
		*joined = place;
		return;
	}
	joined->pages += pages;
	if (joined->length != pages)
		joined->length = 0;
}

/* Gives the oldest runs to the pool, whose lock is held; returns their pages. */
static uint32_t release_locked(struct ksm_pool *pool, const struct ksm_stock *held,
			       uint32_t count)
{
	struct side_by_side joined = { 0 };
	uint32_t pages = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t length = ksm_run_pages(held->values[i]);

		join_locked(&joined, &held->runs[i], length);
		pages += length;
	}
	release_joined_locked(&joined);
	if (!pool->has_owners)
		ksm_stat_sub_locked(&ksm_stat->sites[pool->site].stats.placed_bytes,
				    (uint64_t)pages << KSM_PAGE_SHIFT);
	ksm_keep_freed(pool, pages);
	return pages;
}

/* --- returned runs ----------------------------------------------------------------------- */

/*
 * True if other threads use the site's memory, too. A guess: it may change at any time. In the shared
 * layout each has its own, and what it gets must not depend on others.
 */
static bool has_company(const struct ksm_magazine *magazine)
{
	if (ksm_layout_is_shared())
		return false;
	return __atomic_load_n(&magazine->site->magazines, __ATOMIC_RELAXED) != magazine ||
	       __atomic_load_n(&magazine->next_of_site, __ATOMIC_RELAXED) != NULL;
}

/*
 * A thread that has not freed since it took something last takes more: others free what it allocates, and
 * what it frees itself fills its magazine otherwise.
 */
static bool only_allocates(struct ksm_magazine *magazine)
{
	uint64_t frees = magazine->tally->frees_total;
	bool has_freed = frees != magazine->frees_when_taken;

	magazine->frees_when_taken = frees;
	return !has_freed;
}

/* How many more runs of so many pages there is room for; raises the thread's budget if that may be few. */
static uint32_t room_for(struct ksm_thread *thread, const struct ksm_magazine *magazine, uint32_t pages)
{
	uint32_t runs = magazine->limit - (uint32_t)ksm_min(magazine->held.count, magazine->limit);

	if (thread->budget_pages - thread->cached_pages < KSM_RETURNED_FEW * pages)
		ksm_budget_raise(thread);
	return (uint32_t)ksm_min(runs, (thread->budget_pages - thread->cached_pages) / pages);
}

static_assert(KSM_RETURNED_PAGES >= KSM_MAGAZINE_PAGES, "all that a magazine holds can be returned");

/* Leaves the oldest runs for other threads; false if there is no room or no way. */
static bool return_runs(struct ksm_magazine *magazine, uint32_t count)
{
	int64_t most;

	if (magazine->pool->has_owners || !has_company(magazine))
		return false;
	most = ksm_budget_most() + ksm_keep_earned() - ksm_budget_all();
	return ksm_returned_give(magazine->pool, &magazine->held, count, most);
}

/* --- taking ------------------------------------------------------------------------------ */

void *ksm_magazine_take(struct ksm_thread *thread, struct ksm_magazine *magazine, size_t size)
{
	struct ksm_stock *held;
	uint32_t value, index;

	if (ksm_unlikely(!magazine) || ksm_unlikely(!ksm_magazine_is_at_home(magazine)))
		return NULL;
	if (ksm_magazine_newest_fits(magazine, size))
		return ksm_magazine_take_newest(thread, magazine, size);
	held = &magazine->held;
	index = ksm_stock_search(held, size);
	if (index == KSM_STOCK_RUNS)
		return NULL;
	value = held->values[index];
	return ksm_magazine_use_run(thread, magazine, ksm_stock_take(held, index), value, size);
}

void *ksm_magazine_take_returned(struct ksm_thread *thread, struct ksm_magazine *magazine, size_t size)
{
	struct ksm_returned_few few;
	uint32_t most = 1;
	uint32_t pages;

	if (!magazine || !ksm_magazine_is_at_home(magazine))
		return NULL;
	if (magazine->evicted) {
		magazine->evicted = false;
		thread->regrets++;
	}
	if (!magazine->placed_pool || !ksm_returned_has(magazine->pool, size))
		return NULL;
	pages = (uint32_t)ksm_run_pages_for(size);
	if (only_allocates(magazine))
		most += room_for(thread, magazine, pages);
	if (!ksm_returned_take(magazine->pool, size, most, &few))
		return NULL;
	/* The one that is taken is in the magazine for a moment, too. */
	for (uint32_t i = few.count; i > 1; i--)
		ksm_stock_put(&magazine->held, few.runs[i - 1], few.values[i - 1]);
	thread->cached_pages += few.count * pages;
	ksm_stat_add_own(&magazine->tally->cached_bytes, (uint64_t)few.count * pages << KSM_PAGE_SHIFT);
	return ksm_magazine_use_run(thread, magazine, few.runs[0], few.values[0], size);
}

void *ksm_magazine_take_part(struct ksm_thread *thread, struct ksm_magazine *magazine, size_t size)
{
	uint32_t pages = (uint32_t)ksm_run_pages_for(size);
	struct ksm_stock *held = &magazine->held;
	struct side_by_side cut;
	struct ksm_stock_run run;
	uint32_t index, *rest;

	/* A part of a run in a nursery would have no owner. */
	if (size == 0 || ksm_layout_is_shared() || !magazine->placed_pool || !ksm_magazine_is_at_home(magazine))
		return NULL;
	index = ksm_stock_longest(held);
	if (index == KSM_STOCK_RUNS || ksm_run_pages(held->values[index]) <= pages)
		return NULL;
	cut = place_of(held->runs[index].block, pages);
	rest = ksm_runs_entry(&cut.slot->runs, cut.page + pages);
	__atomic_store_n(rest, KSM_RUN_ASIDE, __ATOMIC_RELAXED);
	run = ksm_stock_cut(held, index, pages, rest);
	/* All of its pages may be written to. */
	return ksm_magazine_use_run(thread, magazine, run,
				    ksm_run_entry_of(pages, (uint64_t)pages << KSM_PAGE_SHIFT), size);
}

void ksm_magazine_refill_locked(struct ksm_thread *thread, struct ksm_magazine *magazine, struct ksm_slot *slot,
				uint32_t page, uint32_t pages)
{
	uint32_t most = (uint32_t)ksm_min(PART_RUNS, REFILL_PAGES / pages);
	struct ksm_newest_runs runs = { slot, page + pages, 0, true };
	uint32_t all;

	if (magazine->pool != slot->pool || ksm_layout_is_shared())
		return;
	most = (uint32_t)ksm_min(most, room_for(thread, magazine, pages));
	if (!ksm_newest_take_locked(slot->pool, pages, most, &runs))
		runs.count = ksm_runs_kept_from(&slot->runs, runs.page, most * pages) / pages;
	all = runs.count * pages;
	if (all == 0)
		return;
	slot = runs.slot;
	ksm_runs_set_aside(&slot->runs, runs.page, all);
	ksm_keep_taken(slot, runs.page, all, all, pages);
	for (uint32_t i = 0; i < runs.count; i++) {
		uint32_t at = runs.page + (runs.falls ? runs.count - 1 - i : i) * pages;
		struct ksm_stock_run run = { ksm_slot_address(slot, at), ksm_runs_entry(&slot->runs, at) };

		__atomic_store_n(run.entry, KSM_RUN_ASIDE, __ATOMIC_RELAXED);
		ksm_stock_put(&magazine->held, run, ksm_run_entry_of(pages, (uint64_t)pages << KSM_PAGE_SHIFT));
	}
	thread->cached_pages += all;
	ksm_stat_add_locked(&magazine->site->record->stats.placed_bytes, (uint64_t)all << KSM_PAGE_SHIFT);
	ksm_stat_add_own(&magazine->tally->cached_bytes, (uint64_t)all * magazine->weight);
}

/* Gives the pool what threads have returned and nobody has taken since. */
static void drain_locked(struct ksm_pool *pool)
{
	struct ksm_stock stock;

	while (ksm_returned_drain(pool, &stock))
		release_locked(pool, &stock, stock.count);
}

/* --- giving back ------------------------------------------------------------------------- */

/* Gives the oldest runs to the pool; returns their pages. */
static uint32_t release(struct ksm_magazine *magazine, uint32_t count)
{
	struct ksm_pool *pool = magazine->pool;
	uint32_t pages;

	ksm_lock_take(pool->lock);
	pages = release_locked(pool, &magazine->held, count);
	pthread_mutex_unlock(pool->lock);
	if (pool->has_owners) {
		ksm_lock_take(&magazine->site->lock);
		ksm_stat_sub_locked(&magazine->part->held_pages, pages);
		pthread_mutex_unlock(&magazine->site->lock);
	}
	return pages;
}

/* The oldest runs are another's now. */
static void forget_oldest(struct ksm_thread *thread, struct ksm_magazine *magazine, uint32_t count,
			  uint32_t pages)
{
	ksm_stock_drop_oldest(&magazine->held, count);
	thread->cached_pages -= pages;
	ksm_stat_add_own(&magazine->tally->cached_bytes, 0 - (uint64_t)pages * magazine->weight);
}

void ksm_magazine_flush(struct ksm_thread *thread, struct ksm_magazine *magazine, uint32_t count)
{
	uint32_t gone = magazine->held.count > count ? magazine->held.count - count : 0;

	if (gone > 0)
		forget_oldest(thread, magazine, gone, release(magazine, gone));
}

/*
 * A thread that has not allocated since it gave something away last gives more: others allocate
 * what it frees.
 */
static void adapt_limit(struct ksm_magazine *magazine)
{
	uint64_t calls = magazine->tally->calls_total;

	if (calls == magazine->calls_when_given && has_company(magazine))
		magazine->limit = (uint32_t)ksm_max(magazine->limit / 2, 2 * PART_RUNS);
	else
		magazine->limit = KSM_STOCK_RUNS;
	magazine->calls_when_given = calls;
}

/* A part of the magazine, which has more, goes to other threads that want it, else to the pool. */
static void give_part(struct ksm_thread *thread, struct ksm_magazine *magazine)
{
	uint32_t count, pages;

	adapt_limit(magazine);
	count = PART_RUNS;
	if (magazine->held.count > magazine->limit)
		count += magazine->held.count - magazine->limit;
	pages = ksm_stock_pages(&magazine->held, count);
	if (return_runs(magazine, count))
		forget_oldest(thread, magazine, count, pages);
	else
		ksm_magazine_flush(thread, magazine, magazine->held.count - count);
}

bool ksm_magazine_make_room(struct ksm_thread *thread, struct ksm_magazine *magazine, uint32_t pages)
{
	if (pages > KSM_MAGAZINE_PAGES)
		return false;
	if (magazine->held.count >= magazine->limit)
		give_part(thread, magazine);
	while (thread->cached_pages + pages > thread->budget_pages) {
		if (ksm_budget_raise(thread))
			continue;
		/* Others may want what this thread has too much of. */
		if (magazine->held.count > PART_RUNS && has_company(magazine)) {
			give_part(thread, magazine);
			continue;
		}
		if (thread->cached_pages == 0)
			return false;
		/* The ring turns, so that sites that are not used any more give up theirs. */
		thread->first = thread->first->next;
		thread->first->evicted = thread->first->held.count > 0;
		ksm_magazine_flush(thread, thread->first, thread->first->held.count / 2);
	}
	return true;
}

void ksm_magazine_flush_all(struct ksm_thread *thread)
{
	struct ksm_magazine *magazine = thread ? thread->first : NULL;

	ksm_keep_each_pool(drain_locked);
	if (!magazine)
		return;
	do {
		ksm_magazine_flush(thread, magazine, 0);
		magazine = magazine->next;
	} while (magazine != thread->first);
}

/* Adds the tally to the site's own counters and takes the magazine off the site. */
static void detach(struct ksm_magazine *magazine)
{
	struct ksmalloc_segment_tally *tally = magazine->tally;
	struct ksm_site *site = magazine->site;
	struct ksmalloc_site_stats *stats = &site->record->stats;
	struct ksm_magazine **link = &site->magazines;

	ksm_lock_take(&site->lock);
	while (*link != magazine)
		link = &(*link)->next_of_site;
	__atomic_store_n(link, magazine->next_of_site, __ATOMIC_RELAXED);
	ksm_stat_add_locked(&stats->calls_total, tally->calls_total);
	ksm_stat_add_locked(&stats->frees_total, tally->frees_total);
	ksm_stat_add_locked(&stats->allocated_bytes_total, tally->allocated_bytes_total);
	ksm_stat_add_locked(&stats->live_bytes, (uint64_t)ksm_magazine_live(magazine));
	ksm_stat_set(&tally->calls_total, 0);
	ksm_stat_set(&tally->frees_total, 0);
	ksm_stat_set(&tally->allocated_bytes_total, 0);
	ksm_stat_set(&tally->freed_bytes_total, 0);
	pthread_mutex_unlock(&site->lock);
}

void ksm_magazine_retire(struct ksm_thread *thread)
{
	struct ksm_magazine *magazine = thread->first;

	while (magazine) {
		struct ksm_magazine *next = magazine->next != thread->first ? magazine->next : NULL;

		ksm_magazine_flush(thread, magazine, 0);
		detach(magazine);
		thread->magazines[magazine->site->index] = NULL;
		pthread_mutex_lock(&magazines.lock);
		magazine->next = magazines.unused;
		magazines.unused = magazine;
		pthread_mutex_unlock(&magazines.lock);
		magazine = next;
	}
	thread->first = NULL;
	thread->recent = NULL;
	ksm_budget_return(thread);
}

bool ksm_magazine_tails_are_used; /* Synchronization: atomic; never changes back. */

void ksm_magazine_note_usable(void)
{
	__atomic_store_n(&ksm_magazine_tails_are_used, true, __ATOMIC_RELAXED);
}

/* --- counters ---------------------------------------------------------------------------- */

int64_t ksm_magazine_note_peak_locked(struct ksm_site *site)
{
	struct ksmalloc_site_stats *stats = &site->record->stats;
	int64_t live = (int64_t)stats->live_bytes;
	int64_t threads = 1;

	for (const struct ksm_magazine *magazine = site->magazines; magazine;
	     magazine = magazine->next_of_site) {
		live += ksm_magazine_live(magazine);
		threads++;
	}
	if (live > (int64_t)stats->peak_bytes)
		ksm_stat_set(&stats->peak_bytes, (uint64_t)live);
	return ((int64_t)stats->peak_bytes - live) / threads;
}

/* Of what a thread has allocated at a site there are so many steps, or more that are no shorter than this times mark_bytes. */
#define STEPS_OF_A_SITE 512u
#define COARSER		4u

int64_t ksm_magazine_step(const struct ksm_magazine *magazine)
{
	uint64_t allocated = magazine->tally->allocated_bytes_total;

	if (ksm_options.mark_bytes == 0 || !ksm_options.stats)
		return INT64_MAX / 2;
	return (int64_t)ksm_max(COARSER * (uint64_t)ksm_options.mark_bytes, allocated / STEPS_OF_A_SITE);
}

static int64_t lesser(int64_t one, int64_t other)
{
	return one < other ? one : other;
}

void ksm_magazine_note_own_peak_locked(struct ksm_magazine *magazine)
{
	magazine->peak_water = ksm_magazine_live(magazine) + ksm_magazine_note_peak_locked(magazine->site);
	magazine->high_water = lesser(magazine->peak_water, magazine->ask_above);
}

/*
 * Blocks from here have no marks: nobody asks whose they are. When there are more of them than there were, one of the next calls
 * is sent the slow way, where that is asked. It follows from what the thread does itself.
 */
KSM_COLD static void ask_for_mark(struct ksm_magazine *magazine)
{
	int64_t live = ksm_magazine_live(magazine);
	int64_t next = live + ksm_magazine_step(magazine);
	bool has_grown = live > magazine->ask_above;

	magazine->ask_above = has_grown ? next : lesser(magazine->ask_above, next);
	magazine->high_water = lesser(magazine->peak_water, magazine->ask_above);
	if (has_grown)
		ksm_thread_ask(ksm_thread_self, 1 + (uint32_t)ksm_steps_mix(magazine->tally->calls_total, 4));
}

/* Looks at the site's peak, and charges its sampling for what the magazine served. */
KSM_COLD static void note(struct ksm_magazine *magazine)
{
	struct ksm_site *site = magazine->site;
	bool sample = false;

	/* Samples are not exact, and may as well be paid for later. */
	if (ksm_magazine_live(magazine) > magazine->peak_water)
		ksm_lock_take(&site->lock);
	else if (pthread_mutex_trylock(&site->lock) != 0)
		return;
	if (ksm_magazine_live(magazine) > magazine->peak_water)
		ksm_magazine_note_own_peak_locked(magazine);
	if (magazine->placed_pool && magazine->tally->calls_total % KSM_MAGAZINE_NOTE_CALLS == 0)
		sample = ksm_sample_charge_locked(magazine->placed_pool,
						  KSM_MAGAZINE_NOTE_CALLS * SAMPLE_PAGES);
	pthread_mutex_unlock(&site->lock);
	if (ksm_unlikely(sample))
		ksm_sample_turn(site);
	ksm_keep_settle();
}

void *ksm_magazine_finish(struct ksm_magazine *magazine, void *block, uint32_t value, size_t size)
{
	size_t dirty = ksm_magazine_dirty_bytes(value);
	bool is_time = magazine->tally->calls_total % KSM_MAGAZINE_NOTE_CALLS == 0;
	int64_t live = ksm_magazine_live(magazine);

	if (is_time || live > magazine->ask_above)
		ask_for_mark(magazine);
	if (is_time || live > magazine->peak_water)
		note(magazine);
	if (size < dirty)
		memset((char *)block + size, 0, dirty - size);
	return block;
}

/* --- fork -------------------------------------------------------------------------------- */

void ksm_magazine_prefork(void)
{
	pthread_mutex_lock(&magazines.lock);
}

void ksm_magazine_postfork_parent(void)
{
	pthread_mutex_unlock(&magazines.lock);
}

void ksm_magazine_postfork_child(void)
{
	pthread_mutex_init(&magazines.lock, NULL);
	ksm_budget_postfork_child(ksm_thread_self);
}
