/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * magazine: the few freed runs that a thread keeps at hand for each site it uses.
 *
 * What it is: the usual way of malloc and free of a large block: a run of as many pages that
 * this thread has freed at this site before is taken and put back without a lock, and
 * counted in a tally of the thread's own. What does not fit is taken from and given to the pool, a
 * few runs at a time.
 * What it is not: a source of runs of other sizes, or of pages that were never used.
 *
 * Returns: a thread that frees what others allocate fills its magazine and never empties it. It keeps
 * fewer then, and gives the rest to returned; a thread that finds nothing in its own magazine asks there. If it
 * frees nothing itself it takes a few runs of the length at once: one in four calls asks.
 *
 * Order: the run that was put last is taken first, of those that need no clearing before others. So the choice
 * depends on the thread's own calls alone, as that of the pool does in the shared layout. There only runs of the
 * thread's own part are kept; elsewhere those of every pool of the site.
 *
 * Invariants: all runs of a magazine lie in its pool and are set aside there (run.h); a
 * thread's magazines hold no more than its budget (budget.h); the runs of a nursery go back before the
 * site is judged by what it holds.
 * Locking: a magazine belongs to its thread. The lists of all magazines of a site are under the
 * site's lock, that of unused ones under a lock of their own. A thread that ends gives all
 * back and adds its tallies to the sites' counters.
 * Failure: without memory or room in the segment there is no magazine; the pool's lock is taken.
 */
#ifndef KSM_MAGAZINE_H
#define KSM_MAGAZINE_H

#include "base.h"
#include "site/site.h"
#include "slot/slot.h"
#include "layout/span.h"
#include "segment/stat.h"
#include "system/steps.h"
#include "block/stock.h"
#include "site/thread.h"

#include <string.h>

#define KSM_MAGAZINE_PAGES 256u /* of the largest run that is kept, 1 MiB */

struct ksm_magazine {
	struct ksm_site *site;
	struct ksm_site_part *part;	/* that the thread uses */
	struct ksm_pool *pool;		/* that the runs lie in: the part's, or a nursery */
	struct ksm_pool *placed_pool;	/* the part's pool when that was chosen, NULL for none */
	struct ksmalloc_segment_tally *tally;
	/*
	 * Live bytes of the tally up to which the site's peak need not be looked at: this thread's share of what
	 * is missing to it. Where blocks go from thread to thread, the peak is exact to that share.
	 */
	int64_t peak_water;
	int64_t ask_above;  /* when the site has grown to that here, one of the next blocks is to be marked (marked.h) */
	int64_t high_water; /* the lesser of both, for one comparison */
	uint32_t index;		/* of the site */
	uint32_t weight;	/* bytes that a page counts as cached: none in a nursery */
	bool evicted;		/* it gave up runs because others needed the room */
	uint32_t limit;		/* of its runs */
	uint64_t calls_when_given;	/* of the tally, when a part of them was given away */
	uint64_t frees_when_taken;	/* of the tally, when a returned run was taken */
	struct ksm_stock held;
	struct ksm_magazine *next;	   /* of the same thread, in a ring */
	struct ksm_magazine *next_of_site; /* Synchronization: written under the site's lock. */
	struct ksm_steps steps;		   /* over new blocks: which of them get marks */
};

/* Where a thread's runs of a site lie. Chosen by placed. */
struct ksm_magazine_home {
	struct ksm_site_part *part;
	struct ksm_pool *pool;
	struct ksm_pool *placed_pool;
};

/* Makes the thread's magazine for the site. NULL if that cannot be. */
KSM_COLD struct ksm_magazine *ksm_magazine_create(struct ksm_thread *thread, struct ksm_site *site,
						  const struct ksm_magazine_home *home);

/* Gives back all its runs; what comes next lies at another home. */
KSM_COLD void ksm_magazine_move(struct ksm_thread *thread, struct ksm_magazine *magazine,
				const struct ksm_magazine_home *home);

/* Gives back the oldest of its runs, so that count are left. */
void ksm_magazine_flush(struct ksm_thread *thread, struct ksm_magazine *magazine, uint32_t count);

/*
 * The pool gave this run for want of one at hand. What it would give for the next calls is set aside for them: the runs
 * that came back last (newest.h), else what lies behind this one, if it is kept and long enough for some of
 * them. Not in the shared layout, since what is kept there depends on other threads. The pool's lock is held.
 */
void ksm_magazine_refill_locked(struct ksm_thread *thread, struct ksm_magazine *magazine, struct ksm_slot *slot,
				uint32_t page, uint32_t pages);

/* Makes room for a run of so many pages in the magazine and in the thread's budget; false if it is too large. */
bool ksm_magazine_make_room(struct ksm_thread *thread, struct ksm_magazine *magazine, uint32_t pages);

/* Gives back what has been returned, and all runs of the thread unless it is NULL. */
void ksm_magazine_flush_all(struct ksm_thread *thread);

/* Gives back all runs of a thread that ends, and its magazines. */
void ksm_magazine_retire(struct ksm_thread *thread);

/*
 * Raises the site's peak if it holds more than ever; its lock is held. Returns what each thread may add to that until
 * then.
 */
int64_t ksm_magazine_note_peak_locked(struct ksm_site *site);

/* The same for the thread of the magazine, and how much it may allocate until it looks again. */
void ksm_magazine_note_own_peak_locked(struct ksm_magazine *magazine);

/* By how much the thread may grow at the site until it is asked again whose the blocks are; where nobody asks that is no number of bytes. */
int64_t ksm_magazine_step(const struct ksm_magazine *magazine);

/* What a magazine served is charged for after so many calls. */
#define KSM_MAGAZINE_NOTE_CALLS 256u

/* What the thread has allocated at the site and nobody has freed; less than none if it freed others' blocks. */
KSM_INLINE int64_t ksm_magazine_live(const struct ksm_magazine *magazine)
{
	const struct ksmalloc_segment_tally *tally = magazine->tally;

	return (int64_t)(__atomic_load_n(&tally->allocated_bytes_total, __ATOMIC_RELAXED) -
			 __atomic_load_n(&tally->freed_bytes_total, __ATOMIC_RELAXED));
}

/* What the tally comes to: allocations, and what is live of them (ksm_magazine_live()). */
struct ksm_magazine_count {
	uint64_t calls;
	int64_t live;
};

/* Counts an allocation in the tally, which is the thread's own. */
KSM_INLINE struct ksm_magazine_count ksm_magazine_count_alloc(struct ksmalloc_segment_tally *tally, size_t size)
{
	uint64_t calls = ksm_stat_add_own(&tally->calls_total, 1);
	uint64_t allocated = ksm_stat_add_own(&tally->allocated_bytes_total, size);

	return (struct ksm_magazine_count){ calls, (int64_t)(allocated - tally->freed_bytes_total) };
}

KSM_INLINE void ksm_magazine_count_free(struct ksm_magazine *magazine, uint64_t bytes)
{
	struct ksmalloc_segment_tally *tally = magazine->tally;

	ksm_stat_add_own(&tally->frees_total, 1);
	ksm_stat_add_own(&tally->freed_bytes_total, bytes);
}

/* True if the program may have written behind its blocks' ends, as it was told how long they really are. */
KSM_INLINE bool ksm_magazine_uses_tails(void)
{
	extern bool ksm_magazine_tails_are_used __attribute__((visibility("hidden")));

	return ksm_unlikely(__atomic_load_n(&ksm_magazine_tails_are_used, __ATOMIC_RELAXED));
}

/*
 * How many of its bytes a run's last block may have written to. What is behind them was zero when the
 * program got it, and it has no way to know that it may write there but malloc_usable_size(3).
 */
KSM_INLINE size_t ksm_magazine_dirty_bytes(uint32_t value)
{
	return ksm_magazine_uses_tails() ? (size_t)ksm_run_pages(value) << KSM_PAGE_SHIFT : ksm_run_bytes(value);
}

/* The program was told how long a block really is. */
void ksm_magazine_note_usable(void);

/*
 * What remains to be done for a block of size bytes in a run that had value: looks at the counters if it is time,
 * and clears the block's tail. Returns the block.
 */
void *ksm_magazine_finish(struct ksm_magazine *magazine, void *block, uint32_t value, size_t size);

/*
 * Makes a run that was taken out, which had value and has as many pages as size bytes take, a block. What is not
 * always to be done stands at the end and apart, so that malloc saves no registers for it.
 */
KSM_INLINE void *ksm_magazine_use_run(struct ksm_thread *thread, struct ksm_magazine *magazine,
				      struct ksm_stock_run run, uint32_t value, size_t size)
{
	struct ksmalloc_segment_tally *tally = magazine->tally;
	uint32_t pages = ksm_run_pages(value);
	uint32_t entry = ksm_run_entry_of_exact(pages, size);
	struct ksm_magazine_count count;

	thread->recent = magazine;
	thread->cached_pages -= pages;
	__atomic_store_n(run.entry, entry, __ATOMIC_RELAXED);
	ksm_stat_add_own(&tally->cached_bytes, 0 - (uint64_t)pages * magazine->weight);
	count = ksm_magazine_count_alloc(tally, size);
	/* A smaller entry says that less of the last page is unused: the new block is not shorter. */
	if (ksm_unlikely(count.live > magazine->high_water) ||
	    ksm_unlikely(count.calls % KSM_MAGAZINE_NOTE_CALLS == 0) ||
	    ksm_unlikely(entry > value) || ksm_unlikely(ksm_magazine_uses_tails()))
		return ksm_magazine_finish(magazine, run.block, value, size);
	return run.block;
}

/* True if the runs lie where the site's blocks lie now. */
KSM_INLINE bool ksm_magazine_is_at_home(const struct ksm_magazine *magazine)
{
	return __atomic_load_n(&magazine->part->pool, __ATOMIC_RELAXED) == magazine->placed_pool;
}

/*
 * True if the run that was put last has as many pages as size bytes take. Whatever block it had, it is taken before
 * others: it is in the processor's cache.
 */
KSM_INLINE bool ksm_magazine_newest_fits(const struct ksm_magazine *magazine, size_t size)
{
	const struct ksm_stock *held = &magazine->held;

	return ksm_likely(ksm_magazine_is_at_home(magazine)) && ksm_likely(held->count > 0) &&
	       ksm_likely(ksm_run_pages(held->values[held->count - 1]) == ksm_run_pages_for(size));
}

/* A block of size bytes in that run. */
KSM_INLINE void *ksm_magazine_take_newest(struct ksm_thread *thread, struct ksm_magazine *magazine, size_t size)
{
	struct ksm_stock *held = &magazine->held;
	uint32_t index = held->count - 1;

	held->count = index;
	return ksm_magazine_use_run(thread, magazine, held->runs[index], held->values[index], size);
}

/*
 * A block of size bytes from the thread's magazine, or NULL if it has no run of as
 * many pages. Its tail is zero, what lies before is not.
 */
void *ksm_magazine_take(struct ksm_thread *thread, struct ksm_magazine *magazine, size_t size);

/*
 * The same after other threads have given back what they had no room for: looks whether that is of use.
 * For who finds nothing in the magazine.
 */
void *ksm_magazine_take_returned(struct ksm_thread *thread, struct ksm_magazine *magazine, size_t size);

/*
 * The same from the beginning of a longer run, whose rest stays in the magazine; not in the shared layout. For who
 * would have to wait for the pool's lock: runs that are cut up serve fewer calls later.
 */
KSM_COLD void *ksm_magazine_take_part(struct ksm_thread *thread, struct ksm_magazine *magazine, size_t size);

/* Puts the run of a block with this entry, which has value. There is room for it. */
KSM_INLINE void ksm_magazine_put_run(struct ksm_thread *thread, struct ksm_magazine *magazine,
				     void *block, uint32_t *entry, uint32_t value)
{
	uint32_t pages = ksm_run_pages(value);

	__atomic_store_n(entry, KSM_RUN_ASIDE, __ATOMIC_RELAXED);
	ksm_stock_put(&magazine->held, (struct ksm_stock_run){ block, entry }, value);
	thread->cached_pages += pages;
	ksm_magazine_count_free(magazine, ksm_run_bytes(value));
	ksm_stat_add_own(&magazine->tally->cached_bytes, (uint64_t)pages * magazine->weight);
}

KSM_INLINE bool ksm_magazine_has_room(const struct ksm_thread *thread,
				      const struct ksm_magazine *magazine, uint32_t pages)
{
	return magazine->held.count < magazine->limit &&
	       thread->cached_pages + pages <= thread->budget_pages;
}

/* Frees a page-aligned block into the thread's magazine; false if it has to be done otherwise. */
KSM_INLINE bool ksm_magazine_put(struct ksm_thread *thread, struct ksm_slot *slot, void *block)
{
	uint32_t page = (uint32_t)(((uintptr_t)block - slot->base) >> KSM_PAGE_SHIFT);
	uint32_t *entry = ksm_runs_entry(&slot->runs, page);
	const struct ksm_pool *pool = slot->pool;
	struct ksm_magazine *magazine = thread->recent;
	uint32_t value, pages;

	if (ksm_unlikely(!entry))
		return false;
	value = __atomic_load_n(entry, __ATOMIC_RELAXED);
	pages = ksm_run_pages(value);
	if (ksm_unlikely(pages - 1 >= KSM_MAGAZINE_PAGES) || ksm_slot_is_altered(slot, page, pages))
		return false;
	/*
	 * A guess that holds, so that the processor need not wait for the index to go on. A pool without owners has one
	 * site.
	 */
	if (ksm_unlikely(!magazine) || ksm_unlikely(magazine->pool != pool) ||
	    (pool->has_owners && ksm_unlikely(magazine->index != ksm_runs_owner(&slot->runs, page)))) {
		uint32_t index = pool->has_owners ? ksm_runs_owner(&slot->runs, page) : pool->site;

		magazine = thread->magazines[index];
		if (ksm_unlikely(!magazine) || ksm_unlikely(magazine->pool != pool))
			return false;
	}
	if (ksm_unlikely(!ksm_magazine_has_room(thread, magazine, pages)))
		return false;
	ksm_magazine_put_run(thread, magazine, block, entry, value);
	return true;
}

void ksm_magazine_prefork(void);
void ksm_magazine_postfork_parent(void);
void ksm_magazine_postfork_child(void);

#endif
