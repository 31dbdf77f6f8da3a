/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * While memory is given back without the pool's lock its run counts as used, as one that is set aside
 * in a magazine does, so that nobody takes it. In the shared layout the lock is kept, since another
 * thread would take another run meanwhile; and so it is for pools of others, since the caller holds
 * its own lock, too, and must not wait for a second one.
 */
#include "slot/keep.h"

#include "layout/layout.h"
#include "system/lock.h"
#include "system/option.h"
#include "store/shared.h"
#include "segment/stat.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

#define EPOCH_LIVE    32
#define EPOCH_PAGES   ((int64_t)(512 * KSM_MIB >> KSM_PAGE_SHIFT))
#define LONG_RUN      64u /* pages; shorter runs are given back if these are not enough */
#define PIECE	      64u /* pages that are tried at once where the kernel refuses more */
#define ALLOWANCE_MS  1000
#define SOON_MS	      50  /* what is taken again later was rightly given back */
#define YOUNG_MS      100 /* a window; what was taken from the kernel in this and the last one is young */
#define LONG_BLOCK    ((uint32_t)(KSM_MIB >> KSM_PAGE_SHIFT)) /* longer blocks are not waited for */
#define LEAST_BURST   ((int64_t)(16 * KSM_MIB >> KSM_PAGE_SHIFT)) /* less is faulted in twice before it is kept */
#define IN_VAIN	      8   /* waiting ends when such a part of what is kept was taken from the kernel */
#define MOST_DOUBTED  1024
#define LEAST_ALLOWED ((int64_t)(4 * KSM_MIB >> KSM_PAGE_SHIFT)) /* less is no habit of the program's */

/* Synchronization: atomic. What is lost by two threads at once is made good in the next epoch. */
static struct {
	_Atomic int64_t kept;
	_Atomic int64_t live;
	_Atomic int64_t allowance;
	_Atomic int64_t taken;	/* in this epoch */
	_Atomic int64_t least;	/* that was kept in this epoch */
	_Atomic int64_t in_row;	/* freed since a page was taken last */
	_Atomic int64_t row_took; /* what the last long row took off the allowance, less twice what was wanted back */
	_Atomic int64_t rows_to_pass; /* so many long rows say nothing, */
	_Atomic int64_t rows_doubted; /* as many as that when the last mistake was noticed */
	_Atomic int64_t at_hand; /* what threads may have in magazines; counts as kept */
	_Atomic uint64_t given_ms;  /* when memory was last given back */
	_Atomic uint64_t earned_ms; /* when the allowance was last earned or halved */
	/* What is waited for, see "patience". */
	_Atomic int64_t fresh;	      /* pages that were taken from the kernel in this window, */
	_Atomic int64_t fresh_before; /* and in the one before */
	_Atomic uint64_t window_ms;   /* when this window began */
	_Atomic int64_t high;	      /* the most that was kept while waiting; 0: nothing is waited for */
	_Atomic int64_t elsewhere;    /* taken from the kernel meanwhile */
} total = { .least = INT64_MAX };

static _Atomic(struct ksm_pool *) pools;

#define GET(name)	 atomic_load_explicit(&total.name, memory_order_relaxed)
#define SET(name, value) atomic_store_explicit(&total.name, (value), memory_order_relaxed)

static int64_t add_kept(int64_t pages)
{
	int64_t kept = atomic_fetch_add_explicit(&total.kept, pages, memory_order_relaxed) + pages;

	ksm_stat_set(&ksm_stat->header.stats.kept_bytes, (uint64_t)kept << KSM_PAGE_SHIFT);
	return kept;
}

static int64_t add_live(int64_t pages)
{
	int64_t live = atomic_fetch_add_explicit(&total.live, pages, memory_order_relaxed) + pages;

	ksm_stat_set(&ksm_stat->header.stats.placed_live_bytes, (uint64_t)live << KSM_PAGE_SHIFT);
	return live;
}

static int64_t larger_of(uint64_t bytes, uint64_t percent, int64_t live)
{
	int64_t share = live / 100 * (int64_t)percent;
	int64_t pages = (int64_t)(bytes >> KSM_PAGE_SHIFT);

	return share > pages ? share : pages;
}

/* What may be kept without evidence, less what threads have at hand. */
static int64_t base_of(int64_t live)
{
	int64_t base = larger_of(ksm_options.keep_bytes, ksm_options.keep_percent, live) - GET(at_hand);

	return base > 0 ? base : 0;
}

static int64_t most_allowed(int64_t live)
{
	return larger_of(ksm_options.cycle_bytes, ksm_options.cycle_percent, live);
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

/* --- the allowance ----------------------------------------------------------------------- */

/*
 * The allowance is so many pages larger again. Where that is half of what a row took off it was a request that ended, and
 * the next rows are, too.
 */
static void doubt_rows(int64_t pages)
{
	int64_t took = GET(row_took), doubted = 8 * GET(rows_doubted) + 7;

	if (took <= 0)
		return;
	SET(row_took, took - 2 * pages);
	if (took > 2 * pages)
		return;
	SET(rows_doubted, doubted < MOST_DOUBTED ? doubted : MOST_DOUBTED);
	SET(rows_to_pass, GET(rows_doubted));
}

/* Pages were taken that had been given back: more should have been kept. */
KSM_COLD static void earn(int64_t pages, int64_t live)
{
	int64_t allowance = GET(allowance) + pages;
	int64_t most = most_allowed(live);
	uint64_t now = ksm_layout_is_shared() ? 0 : ksm_os_now_ms();

	/* A program that comes back to it twice a second saves little by keeping it. */
	if (!ksm_layout_is_shared() && now - GET(given_ms) > SOON_MS)
		return;
	SET(allowance, allowance < most ? allowance : most);
	SET(earned_ms, now);
	doubt_rows(pages);
}

/* Of what lay unused all the time one of so many pages is taken off the allowance: it is not worth keeping. */
KSM_COLD static void take_off_unused(int64_t live, int64_t one_of)
{
	int64_t unused = (GET(least) - base_of(live)) / one_of;
	int64_t allowance = GET(allowance);

	SET(least, GET(kept));
	if (unused > 0)
		SET(allowance, allowance > unused ? allowance - unused : 0);
}

/* The end of an epoch. */
KSM_COLD static void end_epoch(int64_t live)
{
	SET(taken, 0);
	take_off_unused(live, 2);
}

/*
 * So much was freed without a call that takes any: the program lets go of its data, and may not call again for long.
 * Nothing that lay unused before is worth keeping. A server's requests may end so, too, of which the next one needs more
 * than the last: that shows when what was taken off is earned again.
 */
KSM_COLD static void end_row(int64_t live)
{
	int64_t allowance = GET(allowance);

	if (GET(rows_to_pass) > 0) {
		SET(rows_to_pass, GET(rows_to_pass) - 1);
		return;
	}
	take_off_unused(live, 1);
	SET(row_took, allowance - GET(allowance));
}

/* In the private layout an allowance does not outlast what has earned it by much. */
int64_t ksm_keep_earned(void)
{
	int64_t allowance = GET(allowance);
	uint64_t now, since;

	if (allowance < LEAST_ALLOWED)
		return 0;
	if (ksm_layout_is_shared())
		return allowance;
	now = ksm_os_now_ms();
	since = now - GET(earned_ms);
	if (since < ALLOWANCE_MS)
		return allowance;
	allowance = since / ALLOWANCE_MS < 63 ? allowance >> (since / ALLOWANCE_MS) : 0;
	SET(allowance, allowance);
	SET(earned_ms, now);
	return allowance < LEAST_ALLOWED ? 0 : allowance;
}

/* --- patience ----------------------------------------------------------------------------- */

/*
 * What was taken from the kernel only just now, and is freed, is kept for a moment: who needs memory shortly
 * is likely to need it shortly again, and without this each page of a burst would be faulted in twice before
 * the program has earned an allowance. The program's next calls show whether that holds. If it
 * takes what was kept it has earned that much (used_again()). If it takes new memory instead, or nothing
 * until the moment is over, all goes back with the next call that comes by here. If no call
 * comes any more, it stays, as an allowance would that was earned just before.
 */

/* Begins a new window if it is time. */
static void turn_window(uint64_t now)
{
	uint64_t age = now - GET(window_ms);

	if (age < YOUNG_MS)
		return;
	SET(fresh_before, age < 2 * YOUNG_MS ? GET(fresh) : 0);
	SET(fresh, 0);
	SET(window_ms, now);
}

/* Pages that may be kept beyond the base and the allowance. The layout that must not know of time has none. */
KSM_COLD static int64_t patience_of(int64_t live, int64_t allowance)
{
	int64_t most = most_allowed(live) - allowance;
	int64_t young;

	if (ksm_layout_is_shared())
		return 0;
	turn_window(ksm_os_now_ms());
	young = GET(fresh) + GET(fresh_before);
	if (young > most)
		young = most;
	return young >= LEAST_BURST ? young : 0;
}

static void stop_waiting(void)
{
	SET(high, 0);
	SET(elsewhere, 0);
}

/* Of a block of so many pages some were taken from the kernel. */
KSM_COLD static void note_fresh(uint32_t block_pages, int64_t pages)
{
	turn_window(ksm_os_now_ms());
	/* What is larger is rather the one buffer with all of a program's input than one of a burst. */
	if (block_pages <= LONG_BLOCK)
		SET(fresh, GET(fresh) + pages);
	if (ksm_keep_waits())
		SET(elsewhere, GET(elsewhere) + pages);
}

/* Of what was kept for a while only left is: all that was taken of it was worth keeping. */
KSM_COLD static void used_again(int64_t left, int64_t live)
{
	int64_t most = most_allowed(live);
	/* As of the moment when all of it is free again. */
	int64_t used = GET(high) - left - base_of(0);

	if (used < LEAST_BURST || used <= GET(allowance) || patience_of(live, GET(allowance)) == 0)
		return;
	doubt_rows(used - GET(allowance));
	SET(allowance, used < most ? used : most);
	SET(earned_ms, ksm_os_now_ms());
}

/* Pages of a run that were a block's before and are not kept. */
static int64_t given_back_of(const struct ksm_slot *slot, uint32_t page, uint32_t pages, uint32_t kept)
{
	int64_t before = slot->touched_pages > page ? (int64_t)slot->touched_pages - page : 0;

	return (before < pages ? before : pages) - (int64_t)kept;
}

void ksm_keep_taken(struct ksm_slot *slot, uint32_t page, uint32_t pages, uint32_t kept, uint32_t block_pages)
{
	struct ksm_pool *pool = slot->pool;
	int64_t live = add_live(pages);
	int64_t given_back = given_back_of(slot, page, pages, kept);
	int64_t taken = GET(taken) + pages;

	slot->touched_pages = (uint32_t)ksm_max(slot->touched_pages, page + pages);
	SET(taken, taken);
	SET(in_row, 0);
	if (kept > 0) {
		int64_t left = add_kept(-(int64_t)kept);

		if (left < GET(least))
			SET(least, left);
		if (ksm_unlikely(ksm_keep_waits()))
			used_again(left, live);
		if (!pool->has_owners)
			ksm_stat_sub_locked(&stats_of(pool)->kept_bytes,
					    (uint64_t)kept << KSM_PAGE_SHIFT);
	}
	if (ksm_unlikely(given_back > 0))
		earn(given_back, live);
	if (ksm_unlikely(kept < pages) && !ksm_layout_is_shared())
		note_fresh(block_pages, (int64_t)pages - kept);
	if (ksm_unlikely(taken > EPOCH_PAGES) && taken > EPOCH_LIVE * live)
		end_epoch(live);
}

/* --- giving back ------------------------------------------------------------------------- */

/* Tells the kernel that the pages are not needed; true if it took them. */
static bool discard(void *addr, size_t length)
{
	int error = ksm_shared_give_back(addr, length, MADV_DONTNEED);

	/* The program has locked some of them; kernels before 5.18 know no way. */
	if (error == -EINVAL)
		error = ksm_shared_give_back(addr, length, MADV_DONTNEED_LOCKED);
	return error == 0;
}

/* The kernel refuses the run as a whole: tries its pieces. The pool's lock is held. */
KSM_COLD static uint32_t discard_pieces(struct ksm_slot *slot, uint32_t page, uint32_t pages)
{
	uint32_t done = 0;

	for (uint32_t at = page; pages > PIECE && at < page + pages; at += PIECE) {
		uint32_t piece = (uint32_t)ksm_min(PIECE, page + pages - at);

		if (!discard(ksm_slot_address(slot, at), (size_t)piece << KSM_PAGE_SHIFT))
			continue;
		ksm_runs_clean(&slot->runs, at, piece);
		done += piece;
	}
	return done;
}

/* The same with the lock let go meanwhile. */
static bool discard_unlocked(struct ksm_slot *slot, uint32_t page, uint32_t pages)
{
	bool all;

	ksm_runs_set_aside(&slot->runs, page, pages);
	pthread_mutex_unlock(slot->pool->lock);
	all = discard(ksm_slot_address(slot, page), (size_t)pages << KSM_PAGE_SHIFT);
	ksm_lock_take(slot->pool->lock);
	ksm_runs_release_aside(&slot->runs, page, pages);
	return all;
}

/* Gives back a run of kept pages; returns how many the kernel took. */
static uint32_t discard_run(struct ksm_slot *slot, uint32_t page, uint32_t pages, bool unlock)
{
	bool all = unlock ? discard_unlocked(slot, page, pages) :
			    discard(ksm_slot_address(slot, page), (size_t)pages << KSM_PAGE_SHIFT);

	if (!all)
		return discard_pieces(slot, page, pages);
	ksm_runs_clean(&slot->runs, page, pages);
	return pages;
}

/* Gives back up to pages of the slot, in runs of at least shortest pages, highest first. */
static uint32_t purge_slot(struct ksm_slot *slot, uint32_t pages, uint32_t shortest, bool unlock)
{
	uint32_t before = slot->mapped_pages;
	uint32_t done = 0;
	uint32_t page;
	uint32_t run;

	while (done < pages && (run = ksm_runs_highest_kept(&slot->runs, before, &page)) > 0) {
		before = page;
		if (run < shortest)
			continue;
		if (run > pages - done) {
			page += run - (pages - done);
			run = pages - done;
		}
		done += discard_run(slot, page, run, unlock);
	}
	return done;
}

/* Gives back up to pages of the pool, whose lock is held; it may be let go if the caller holds no other. */
static int64_t purge_pool(struct ksm_pool *pool, int64_t pages, uint32_t shortest, bool unlock)
{
	uint32_t done = 0;

	if (pool->purging || pages <= 0)
		return 0;
	pool->purging = true;
	for (struct ksm_slot *slot = pool->first; slot && done < pages; slot = slot->next) {
		if (slot->runs.kept_pages >= shortest)
			done += purge_slot(slot, (uint32_t)pages - done, shortest, unlock);
	}
	pool->purging = false;
	add_kept(-(int64_t)done);
	if (done > 0 && !pool->has_owners) {
		struct ksmalloc_site_stats *stats = stats_of(pool);

		ksm_stat_sub_locked(&stats->kept_bytes, (uint64_t)done << KSM_PAGE_SHIFT);
		ksm_stat_add_locked(&stats->given_back_bytes_total,
				    (uint64_t)done << KSM_PAGE_SHIFT);
	}
	return done;
}

/* The same of other pools: those that are not in use at this moment. */
static int64_t purge_others(const struct ksm_pool *mine, int64_t pages, uint32_t shortest, bool unlock)
{
	int64_t done = 0;

	for (struct ksm_pool *pool = atomic_load(&pools); pool && done < pages; pool = pool->next) {
		if (pool == mine || pthread_mutex_trylock(pool->lock) != 0)
			continue;
		done += purge_pool(pool, pages - done, shortest, unlock);
		pthread_mutex_unlock(pool->lock);
	}
	return done;
}

/*
 * kept pages are more than the rule allows: gives back some more than that, of the pool whose lock is
 * held first. It is NULL if the caller holds none.
 */
KSM_COLD static void give_back(struct ksm_pool *pool, int64_t kept, int64_t limit)
{
	int64_t excess = kept - (limit - limit / 4);
	bool unlock = !ksm_layout_is_shared();
	uint32_t shortest = LONG_RUN;

	if (!ksm_layout_is_shared())
		SET(given_ms, ksm_os_now_ms());
	stop_waiting();
	for (;;) {
		if (pool)
			excess -= purge_pool(pool, excess, shortest, unlock);
		if (excess > limit / 4)
			excess -= purge_others(pool, excess, shortest, unlock && !pool);
		if (shortest == 1 || excess <= limit / 4)
			return;
		shortest = 1;
	}
}

/* True if the program took other memory while this was kept for it. */
static bool waited_in_vain(void)
{
	return GET(elsewhere) > GET(high) / IN_VAIN;
}

/* kept pages are more than limit: they are young, and the program may want them again, or they go. */
KSM_COLD static void wait_or_give_back(struct ksm_pool *pool, int64_t kept, int64_t live, int64_t limit)
{
	int64_t patience = 0;

	if (waited_in_vain()) {
		/* What it took meanwhile is all that is young. */
		SET(fresh, GET(elsewhere));
		SET(fresh_before, 0);
	} else {
		patience = patience_of(live, ksm_keep_earned());
	}
	if (kept > limit + patience) {
		give_back(pool, kept, limit + patience);
		kept = GET(kept);
	}
	/* Some may stay for patience's sake: somebody has to look at it when the moment is over. */
	if (patience > 0 && kept > limit && kept > GET(high))
		SET(high, kept);
}

void ksm_keep_freed(struct ksm_pool *pool, uint32_t pages)
{
	int64_t live = add_live(-(int64_t)pages);
	int64_t base = base_of(live);
	int64_t kept = add_kept(pages);
	int64_t in_row, limit;

	if (!pool->has_owners)
		ksm_stat_add_locked(&stats_of(pool)->kept_bytes, (uint64_t)pages << KSM_PAGE_SHIFT);
	in_row = GET(in_row) + pages;
	SET(in_row, in_row);
	if (ksm_likely(kept <= base))
		return;
	if (ksm_unlikely(in_row > LEAST_BURST) && in_row - pages <= LEAST_BURST)
		end_row(live);
	limit = base + ksm_keep_earned();
	if (ksm_unlikely(kept > limit))
		wait_or_give_back(pool, kept, live, limit);
}

KSM_COLD static void settle(void)
{
	int64_t live = GET(live);
	int64_t allowance = ksm_keep_earned();
	int64_t limit = base_of(live) + allowance;
	int64_t kept = GET(kept);

	if (kept > limit)
		wait_or_give_back(NULL, kept, live, limit);
	else if (waited_in_vain() || patience_of(live, allowance) == 0)
		stop_waiting();
}

bool ksm_keep_waits(void)
{
	return GET(high) > 0;
}

void ksm_keep_settle(void)
{
	if (ksm_unlikely(ksm_keep_waits()))
		settle();
}

void ksm_keep_renewed(struct ksm_pool *pool, uint32_t pages)
{
	add_live(-(int64_t)pages);
	if (!pool->has_owners)
		ksm_stat_add_locked(&stats_of(pool)->given_back_bytes_total,
				    (uint64_t)pages << KSM_PAGE_SHIFT);
}

int64_t ksm_keep_base(void)
{
	return larger_of(ksm_options.keep_bytes, ksm_options.keep_percent, GET(live));
}

void ksm_keep_at_hand(int64_t pages)
{
	atomic_fetch_add_explicit(&total.at_hand, pages, memory_order_relaxed);
}

void ksm_keep_each_pool(void (*visit)(struct ksm_pool *pool))
{
	for (struct ksm_pool *pool = atomic_load(&pools); pool; pool = pool->next) {
		if (pthread_mutex_trylock(pool->lock) != 0)
			continue;
		visit(pool);
		pthread_mutex_unlock(pool->lock);
	}
}

bool ksm_keep_trim(void)
{
	/* The program wants none of it again, and what it takes next must not count as taken of that. */
	stop_waiting();
	return purge_others(NULL, GET(kept), 1, false) > 0;
}

void ksm_keep_postfork_child(void)
{
	for (struct ksm_pool *pool = atomic_load(&pools); pool; pool = pool->next)
		pool->purging = false;
}
