/* SPDX-License-Identifier: BSD-2-Clause */
#include "magazine.h"

#include "keep.h"
#include "layout.h"
#include "meta.h"
#include "option.h"
#include "sample.h"

/* Runs that go from one thread to another, or to the pool, at once. */
#define PART_RUNS 16u

/* So often a thread must miss what it gave up until it may keep a step more. */
#define REGRETS_STEP 256u

/* What a thread may keep at hand grows by this. */
#define BUDGET_STEP ((uint32_t)(KSM_MIB >> KSM_PAGE_SHIFT))

/* What a call that a magazine served is worth for sampling, in pages. */
#define SAMPLE_PAGES 16u

static struct {
	pthread_mutex_t lock; /* Protects unused. */
	struct ksm_magazine *unused; /* LIFO, by next; with their tallies */
	atomic_uint budgets; /* pages that threads may keep, in all */
	atomic_uint threads; /* that have a budget */
} magazines = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* --- budgets ----------------------------------------------------------------------------- */

/*
 * One thread may keep at hand half of what the process may keep, and more once it has often missed what it had to
 * give up. Where there are several, all together may have as much as four may have alone. In the shared
 * layout what a thread keeps must not depend on others. Nothing of this may depend on time: it decides
 * which run is taken.
 */
static bool may_raise(const struct ksm_thread *thread, uint32_t step)
{
	int64_t most = (int64_t)(ksm_options.thread_bytes >> KSM_PAGE_SHIFT);
	int64_t missed = (int64_t)(thread->regrets / REGRETS_STEP) * BUDGET_STEP;
	int64_t keep_pages = (int64_t)(ksm_options.keep_bytes >> KSM_PAGE_SHIFT);

	if (ksm_layout_is_shared())
		return thread->budget_pages + step <= keep_pages / 2 + missed;
	if (atomic_load_explicit(&magazines.threads, memory_order_relaxed) > 1)
		return atomic_load_explicit(&magazines.budgets, memory_order_relaxed) + step <= 4 * most;
	return thread->budget_pages + step <= ksm_keep_base() / 2 + missed;
}

static bool raise_budget(struct ksm_thread *thread)
{
	uint32_t most = (uint32_t)(ksm_options.thread_bytes >> KSM_PAGE_SHIFT);
	uint32_t step = (uint32_t)ksm_min(BUDGET_STEP, most - thread->budget_pages);

	if (step == 0 || ksm_options.zero_reuse || !may_raise(thread, step))
		return false;
	if (thread->budget_pages == 0)
		atomic_fetch_add(&magazines.threads, 1);
	atomic_fetch_add(&magazines.budgets, step);
	thread->budget_pages += step;
	ksm_keep_at_hand(step);
	return true;
}

static void return_budget(struct ksm_thread *thread)
{
	if (thread->budget_pages > 0)
		atomic_fetch_sub(&magazines.threads, 1);
	atomic_fetch_sub(&magazines.budgets, thread->budget_pages);
	ksm_keep_at_hand(-(int64_t)thread->budget_pages);
	thread->budget_pages = 0;
}

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
	if (ksm_stat_must_publish() || (thread->budget_pages == 0 && !raise_budget(thread)))
		return NULL;
	magazine = obtain_unused();
	if (!magazine)
		return NULL;
	magazine->site = site;
	magazine->held.count = 0;
	magazine->evicted = false;
	magazine->high_water = 0;
	settle_at(magazine, home);
	__atomic_store_n(&magazine->tally->site, site->index, __ATOMIC_RELAXED);
	if (thread->first) {
		magazine->next = thread->first->next;
		thread->first->next = magazine;
	} else {
		magazine->next = magazine;
		thread->first = magazine;
	}
	pthread_mutex_lock(&site->lock);
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

/* --- sets of runs ------------------------------------------------------------------------ */

void ksm_magazine_close_gap(struct ksm_magazine_runs *held, uint32_t index)
{
	uint32_t behind = held->count - index;

	memmove(&held->values[index], &held->values[index + 1], behind * sizeof(held->values[0]));
	memmove(&held->runs[index], &held->runs[index + 1], behind * sizeof(held->runs[0]));
}

static uint32_t pages_of(const struct ksm_magazine_runs *held, uint32_t count)
{
	uint32_t pages = 0;

	for (uint32_t i = 0; i < count; i++)
		pages += ksm_run_pages(held->values[i]);
	return pages;
}

/* Takes the oldest runs out. */
static void drop_oldest(struct ksm_magazine_runs *held, uint32_t count)
{
	held->count -= count;
	memmove(held->values, held->values + count, held->count * sizeof(held->values[0]));
	memmove(held->runs, held->runs + count, held->count * sizeof(held->runs[0]));
}

/* Adds the oldest runs of another set; there is room for them. */
static void append_oldest(struct ksm_magazine_runs *held, const struct ksm_magazine_runs *from,
			  uint32_t count)
{
	memcpy(held->values + held->count, from->values, count * sizeof(held->values[0]));
	memcpy(held->runs + held->count, from->runs, count * sizeof(held->runs[0]));
	held->count += count;
}

/* Gives the oldest runs to the pool, whose lock is held; returns their pages. */
static uint32_t release_locked(struct ksm_pool *pool, const struct ksm_magazine_runs *held,
			       uint32_t count)
{
	uint32_t pages = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct ksm_slot *slot = ksm_span_slot_at(held->runs[i].block);
		uintptr_t offset = (uintptr_t)held->runs[i].block - slot->base;
		uint32_t length = ksm_run_pages(held->values[i]);

		ksm_runs_release_aside(&slot->runs, (uint32_t)(offset >> KSM_PAGE_SHIFT), length);
		pages += length;
	}
	if (!pool->has_owners)
		ksm_stat_sub_locked(&ksm_stat->sites[pool->site].stats.placed_bytes,
				    (uint64_t)pages << KSM_PAGE_SHIFT);
	ksm_keep_freed(pool, pages);
	return pages;
}

/* --- returned runs ----------------------------------------------------------------------- */

struct ksm_magazine_returned {
	atomic_flag busy; /* tried, never waited for. Protects the other members. */
	struct ksmalloc_segment_tally *tally;
	struct ksm_magazine_runs held;
};

/* The pool's returned runs with their flag, or NULL. */
static struct ksm_magazine_returned *enter_returned(struct ksm_pool *pool)
{
	struct ksm_magazine_returned *returned = __atomic_load_n(&pool->returned, __ATOMIC_ACQUIRE);

	if (!returned || atomic_flag_test_and_set_explicit(&returned->busy, memory_order_acquire))
		return NULL;
	return returned;
}

static void leave_returned(struct ksm_magazine_returned *returned)
{
	uint64_t cached = (uint64_t)pages_of(&returned->held, returned->held.count) << KSM_PAGE_SHIFT;

	ksm_stat_set(&returned->tally->cached_bytes, cached);
	atomic_flag_clear_explicit(&returned->busy, memory_order_release);
}

KSM_COLD static void make_returned(struct ksm_pool *pool)
{
	struct ksmalloc_segment_tally *tally = ksm_stat_add_tally();
	struct ksm_magazine_returned *returned = tally ? ksm_meta_alloc(sizeof(*returned)) : NULL;
	struct ksm_magazine_returned *none = NULL;

	if (!returned)
		return;
	returned->tally = tally;
	tally->site = pool->site;
	/* Another thread may have been faster: two rows of the table are lost then, once a pool. */
	__atomic_compare_exchange_n(&pool->returned, &none, returned, false, __ATOMIC_RELEASE,
				    __ATOMIC_RELAXED);
}

/* True if other threads use the site, too. A guess: it may change at any time. */
static bool has_company(const struct ksm_magazine *magazine)
{
	return __atomic_load_n(&magazine->site->magazines, __ATOMIC_RELAXED) != magazine ||
	       __atomic_load_n(&magazine->next_of_site, __ATOMIC_RELAXED) != NULL;
}

/* Leaves the oldest runs for other threads; false if there is no room or the flag is taken. */
static bool return_runs(struct ksm_magazine *magazine, uint32_t count)
{
	struct ksm_pool *pool = magazine->pool;
	struct ksm_magazine_returned *returned;
	bool fits;

	if (pool->has_owners || !has_company(magazine))
		return false;
	if (!__atomic_load_n(&pool->returned, __ATOMIC_RELAXED))
		make_returned(pool);
	returned = enter_returned(pool);
	if (!returned)
		return false;
	fits = returned->held.count + count <= KSM_MAGAZINE_RUNS;
	if (fits) {
		append_oldest(&returned->held, &magazine->held, count);
		ksm_keep_at_hand(pages_of(&magazine->held, count));
	}
	leave_returned(returned);
	return fits;
}

void *ksm_magazine_take_returned(struct ksm_thread *thread, struct ksm_magazine *magazine, size_t size)
{
	struct ksm_magazine_returned *returned;
	uint32_t count, pages;

	if (!magazine || !ksm_magazine_is_at_home(magazine))
		return NULL;
	if (magazine->evicted) {
		magazine->evicted = false;
		thread->regrets++;
	}
	if (!magazine->placed_pool)
		return NULL;
	returned = enter_returned(magazine->pool);
	if (!returned)
		return NULL;
	/* What did not serve for long makes room. */
	count = (uint32_t)ksm_min(returned->held.count, PART_RUNS);
	ksm_magazine_flush(thread, magazine, KSM_MAGAZINE_RUNS - count);
	pages = pages_of(&returned->held, count);
	while (thread->cached_pages + pages > thread->budget_pages && raise_budget(thread))
		;
	if (thread->cached_pages + pages > thread->budget_pages)
		count = 0;
	if (count > 0) {
		append_oldest(&magazine->held, &returned->held, count);
		drop_oldest(&returned->held, count);
		ksm_keep_at_hand(-(int64_t)pages);
		thread->cached_pages += pages;
		ksm_stat_add_own(&magazine->tally->cached_bytes, (uint64_t)pages << KSM_PAGE_SHIFT);
	}
	leave_returned(returned);
	return count > 0 ? ksm_magazine_take(thread, magazine, size) : NULL;
}

/* Gives the pool what threads have returned and nobody has taken since. */
static void drain_locked(struct ksm_pool *pool)
{
	struct ksm_magazine_returned *returned = enter_returned(pool);

	if (!returned)
		return;
	ksm_keep_at_hand(-(int64_t)release_locked(pool, &returned->held, returned->held.count));
	returned->held.count = 0;
	leave_returned(returned);
}

/* --- giving back ------------------------------------------------------------------------- */

/* Gives the oldest runs to the pool; returns their pages. */
static uint32_t release(struct ksm_magazine *magazine, uint32_t count)
{
	struct ksm_pool *pool = magazine->pool;
	uint32_t pages;

	pthread_mutex_lock(pool->lock);
	pages = release_locked(pool, &magazine->held, count);
	pthread_mutex_unlock(pool->lock);
	if (pool->has_owners) {
		pthread_mutex_lock(&magazine->site->lock);
		ksm_stat_sub_locked(&magazine->part->held_pages, pages);
		pthread_mutex_unlock(&magazine->site->lock);
	}
	return pages;
}

/* The oldest runs are another's now. */
static void forget_oldest(struct ksm_thread *thread, struct ksm_magazine *magazine, uint32_t count,
			  uint32_t pages)
{
	drop_oldest(&magazine->held, count);
	thread->cached_pages -= pages;
	ksm_stat_add_own(&magazine->tally->cached_bytes, 0 - (uint64_t)pages * magazine->weight);
}

void ksm_magazine_flush(struct ksm_thread *thread, struct ksm_magazine *magazine, uint32_t count)
{
	uint32_t gone = magazine->held.count > count ? magazine->held.count - count : 0;

	if (gone > 0)
		forget_oldest(thread, magazine, gone, release(magazine, gone));
}

/* A part of the magazine, which has more, goes to other threads that want it, else to the pool. */
static void give_part(struct ksm_thread *thread, struct ksm_magazine *magazine)
{
	uint32_t pages = pages_of(&magazine->held, PART_RUNS);

	if (return_runs(magazine, PART_RUNS))
		forget_oldest(thread, magazine, PART_RUNS, pages);
	else
		ksm_magazine_flush(thread, magazine, magazine->held.count - PART_RUNS);
}

bool ksm_magazine_make_room(struct ksm_thread *thread, struct ksm_magazine *magazine, uint32_t pages)
{
	if (pages > KSM_MAGAZINE_PAGES)
		return false;
	if (magazine->held.count == KSM_MAGAZINE_RUNS)
		give_part(thread, magazine);
	while (thread->cached_pages + pages > thread->budget_pages) {
		if (raise_budget(thread))
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

	pthread_mutex_lock(&site->lock);
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
	return_budget(thread);
}

bool ksm_magazine_tails_are_used; /* Synchronization: atomic; never changes back. */

void ksm_magazine_note_usable(void)
{
	__atomic_store_n(&ksm_magazine_tails_are_used, true, __ATOMIC_RELAXED);
}

/* --- counters ---------------------------------------------------------------------------- */

void ksm_magazine_note_peak_locked(struct ksm_site *site)
{
	struct ksmalloc_site_stats *stats = &site->record->stats;
	uint64_t live = stats->live_bytes;

	for (const struct ksm_magazine *magazine = site->magazines; magazine;
	     magazine = magazine->next_of_site)
		live += (uint64_t)ksm_magazine_live(magazine);
	if ((int64_t)live > (int64_t)stats->peak_bytes)
		ksm_stat_set(&stats->peak_bytes, live);
}

void ksm_magazine_note(struct ksm_magazine *magazine)
{
	struct ksm_site *site = magazine->site;
	bool sample = false;

	pthread_mutex_lock(&site->lock);
	if (ksm_magazine_live(magazine) > magazine->high_water) {
		magazine->high_water = ksm_magazine_live(magazine);
		ksm_magazine_note_peak_locked(site);
	}
	if (magazine->placed_pool && magazine->tally->calls_total % KSM_MAGAZINE_NOTE_CALLS == 0)
		sample = ksm_sample_charge_locked(magazine->placed_pool,
						  KSM_MAGAZINE_NOTE_CALLS * SAMPLE_PAGES);
	pthread_mutex_unlock(&site->lock);
	if (ksm_unlikely(sample))
		ksm_sample_turn(site);
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
}
