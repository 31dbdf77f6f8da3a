/* SPDX-License-Identifier: BSD-2-Clause */
#include "keep.h"

#include "option.h"
#include "stat.h"

#include <stdatomic.h>
#include <sys/mman.h>

/* A cycle is at most this long, and its proof is good for so long. */
#define CYCLE_MS 50
#define PROOF_MS 1000

/* Synchronization: atomic. */
static atomic_int_fast64_t kept_pages;
static atomic_int_fast64_t live_pages;
static atomic_uint_fast64_t over_since_ms; /* when kept_pages went above the rule, 0 if it is not */
static _Atomic(struct ksm_pool *) pools;

static int64_t add_kept(int64_t pages)
{
	int64_t kept = atomic_fetch_add_explicit(&kept_pages, pages, memory_order_relaxed) + pages;

	ksm_stat_set(&ksm_stat->header.stats.kept_bytes, (uint64_t)kept << KSM_PAGE_SHIFT);
	return kept;
}

static int64_t add_live(int64_t pages)
{
	int64_t live = atomic_fetch_add_explicit(&live_pages, pages, memory_order_relaxed) + pages;

	ksm_stat_set(&ksm_stat->header.stats.placed_live_bytes, (uint64_t)live << KSM_PAGE_SHIFT);
	return live;
}

static int64_t limit_of(int64_t live)
{
	int64_t percent = live / 100 * (int64_t)ksm_options.keep_percent;
	int64_t bytes = (int64_t)(ksm_options.keep_bytes >> KSM_PAGE_SHIFT);

	return percent > bytes ? percent : bytes;
}

static struct ksmalloc_site_stats *stats_of(const struct ksm_pool *pool)
{
	return &ksm_stat->sites[pool->site].stats;
}

void ksm_keep_add_pool(struct ksm_pool *pool)
{
	pool->next = atomic_load(&pools);
	while (!atomic_compare_exchange_weak(&pools, &pool->next, pool))
		;
}

/* Gives back up to pages of the slot, highest first; returns how many. */
static uint32_t purge_slot(struct ksm_slot *slot, uint32_t pages)
{
	uint32_t before = slot->mapped_pages;
	uint32_t done = 0;
	uint32_t page;
	uint32_t run;

	while (done < pages && (run = ksm_runs_highest_kept(&slot->runs, before, &page)) > 0) {
		uint32_t excess = run > pages - done ? run - (pages - done) : 0;

		page += excess;
		run -= excess;
		if (ksm_os_madvise(ksm_slot_address(slot, page), (size_t)run << KSM_PAGE_SHIFT,
				   MADV_DONTNEED) != 0) {
			slot->pool->retry_ms = ksm_os_now_ms() + PROOF_MS;
			break;
		}
		ksm_runs_clean(&slot->runs, page, run);
		done += run;
		before = page;
	}
	return done;
}

/* Gives back up to pages of the pool, whose lock is held. */
static uint32_t purge_pool(struct ksm_pool *pool, uint32_t pages, uint64_t now)
{
	uint32_t done = 0;

	if (now < pool->retry_ms)
		return 0;
	for (struct ksm_slot *slot = pool->first; slot && done < pages; slot = slot->next)
		done += purge_slot(slot, pages - done);
	if (done == 0)
		return 0;
	pool->purged_ms = now;
	add_kept(-(int64_t)done);
	if (!pool->has_owners) {
		struct ksmalloc_site_stats *stats = stats_of(pool);

		ksm_stat_sub_locked(&stats->kept_bytes, (uint64_t)done << KSM_PAGE_SHIFT);
		ksm_stat_add_locked(&stats->given_back_bytes_total,
				    (uint64_t)done << KSM_PAGE_SHIFT);
	}
	return done;
}

/* Other pools keep too much for what is live now: try those that are not in use. */
static void purge_others(const struct ksm_pool *mine, int64_t pages, uint64_t now)
{
	for (struct ksm_pool *pool = atomic_load(&pools); pool && pages > 0; pool = pool->next) {
		if (pool == mine || pthread_mutex_trylock(pool->lock) != 0)
			continue;
		pages -= purge_pool(pool, (uint32_t)pages, now);
		pthread_mutex_unlock(pool->lock);
	}
}

/* kept_pages is over limit: decides whether that may last, else gives back. */
KSM_COLD static void give_back(struct ksm_pool *pool, int64_t kept, int64_t limit)
{
	int64_t cycle = (int64_t)(ksm_options.cycle_bytes >> KSM_PAGE_SHIFT);
	/* Somewhat more than needed, so that the next free does not come here again. */
	int64_t target = limit - limit / 4;
	uint64_t now = ksm_os_now_ms();
	uint64_t since = atomic_load_explicit(&over_since_ms, memory_order_relaxed);

	if (now < pool->cycling_until_ms && kept <= cycle && (since == 0 || now - since <= CYCLE_MS)) {
		if (since == 0)
			atomic_store_explicit(&over_since_ms, now, memory_order_relaxed);
		return;
	}
	kept -= purge_pool(pool, (uint32_t)(kept - target), now);
	if (kept > limit)
		purge_others(pool, kept - target, now);
	atomic_store_explicit(&over_since_ms, 0, memory_order_relaxed);
}

/* Pages were taken that are not at hand any more, or that only a cycle kept. */
KSM_COLD static void note_cycle(struct ksm_pool *pool, bool from_excess)
{
	uint64_t now = ksm_os_now_ms();

	if (from_excess || now - pool->purged_ms <= CYCLE_MS)
		pool->cycling_until_ms = now + PROOF_MS;
}

void ksm_keep_taken(struct ksm_pool *pool, uint32_t pages, uint32_t kept)
{
	int64_t live = add_live(pages);
	bool over = atomic_load_explicit(&over_since_ms, memory_order_relaxed) != 0;

	if (kept > 0) {
		int64_t left = add_kept(-(int64_t)kept);

		if (!pool->has_owners)
			ksm_stat_sub_locked(&stats_of(pool)->kept_bytes,
					    (uint64_t)kept << KSM_PAGE_SHIFT);
		if (ksm_unlikely(over)) {
			note_cycle(pool, true);
			if (left <= limit_of(live))
				atomic_store_explicit(&over_since_ms, 0, memory_order_relaxed);
			else
				give_back(pool, left, limit_of(live));
		}
	}
	if (kept < pages && pool->purged_ms)
		note_cycle(pool, false);
}

void ksm_keep_freed(struct ksm_pool *pool, uint32_t pages)
{
	int64_t limit = limit_of(add_live(-(int64_t)pages));
	int64_t kept = add_kept(pages);

	if (!pool->has_owners)
		ksm_stat_add_locked(&stats_of(pool)->kept_bytes, (uint64_t)pages << KSM_PAGE_SHIFT);
	if (ksm_unlikely(kept > limit))
		give_back(pool, kept, limit);
}

bool ksm_keep_trim(void)
{
	int64_t before = atomic_load(&kept_pages);

	purge_others(NULL, INT32_MAX, ksm_os_now_ms());
	return atomic_load(&kept_pages) < before;
}
