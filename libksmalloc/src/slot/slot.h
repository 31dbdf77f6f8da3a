/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slot: the memory of pools: slots that grow in place.
 *
 * What it is: a pool owns slots; a slot is one mapping that starts small and
 * grows at its end, so that it stays one VMA, is advised and named once, before
 * its first touch, and passes both on to what it grows by.
 * What it is not: blocks. Which pages of a slot are in use is run's business.
 *
 * Pools: each placed site has one (one for each part of the process in the shared
 * layout). The nurseries hold blocks of sites without a slot and are advised in the
 * shared layout only; the private pool holds blocks that must never merge.
 *
 * Invariants: [base, base + mapped_pages) is mapped; nothing else in the slot is.
 * Locking: the pool's lock, which is the site's own for the pool of a site.
 * Failure: -ENOMEM and -ENOSPC; what was there stays.
 */
#ifndef KSM_SLOT_H
#define KSM_SLOT_H

#include "base.h"
#include "os/os.h"
#include "slot/run.h"

#include <pthread.h>

struct ksm_slot {
	struct ksm_pool *pool;
	struct ksm_slot *next;	/* of the same pool, in order of creation */
	uintptr_t base;
	uint32_t mapped_pages;
	uint32_t touched_pages;	/* pages below this one have been a block's */
	int record;		/* index in the segment's table, negative if it was full */
	struct ksm_runs runs;
	/*
	 * Between these pages the program has changed rights or flags, which must not outlive its block.
	 * None: the end is 0. Synchronization: atomic; they only grow apart.
	 */
	uint32_t altered_begin;
	uint32_t altered_end;
};

/* Free runs of one length side by side, the last ones that came back (newest.h). */
struct ksm_row {
	struct ksm_slot *slot;
	uint32_t page, pages;
	uint32_t length;	/* of a run; 0 where nothing is known */
	bool falls;		/* the lowest came last */
};

struct ksm_pool {
	pthread_mutex_t *lock;	/* Protects all members, and the slots and their runs. */
	struct ksm_pool *next;	/* all pools, LIFO. Synchronization: constant once linked. */
	uint64_t site_id;
	uint64_t seed;		/* of the choice of slots */
	uint32_t site;		/* index of the owner; 0 for nurseries and the private pool */
	uint32_t part;		/* of the process, see layout.h */
	uint32_t probe;		/* candidates of the span that were tried */
	uint64_t hint;		/* for its mappings if they are advised, 0 for none */
	int64_t credit;		/* until its site is sampled, see sample.h */
	bool advise;
	bool is_exempt;		/* must not merge even if the whole process is mergeable */
	bool has_owners;	/* blocks of many sites lie in it */
	bool has_witnesses;	/* see witness.h */
	bool is_arena;		/* one of a runtime's, see embed.h: its slots lie side by side and have no runs */
	const char *name;	/* of its mappings, NULL for "ksmalloc:" and the site's id */
	uint32_t slot_count;	/* of an arena's, else 0 */
	struct ksm_slot *first;
	struct ksm_slot *last;
	struct ksm_row newest;
	/* Runs on the way from one thread to another, see returned.h; NULL before the first. Synchronization: atomic. */
	struct ksm_returned *returned;
	bool purging;		/* a thread gives back memory of the pool, without the lock */
};

/* Adds a slot to the pool. *result has nothing mapped yet. */
int ksm_slot_create(struct ksm_pool *pool, struct ksm_slot **result);

/* Makes the first pages of the slot usable. */
int ksm_slot_reserve(struct ksm_slot *slot, uint32_t pages);

/* True if the program may have changed rights or flags of some of these pages. */
KSM_INLINE bool ksm_slot_is_altered(const struct ksm_slot *slot, uint32_t page, uint32_t pages)
{
	return ksm_unlikely(page < __atomic_load_n(&slot->altered_end, __ATOMIC_ACQUIRE)) &&
	       page + pages > __atomic_load_n(&slot->altered_begin, __ATOMIC_RELAXED);
}

/*
 * Notes that the program changes rights or flags of what lies in the slot of [addr, addr + length). Takes
 * no lock: mprotect(2) and madvise(2) may be called from signal handlers.
 */
void ksm_slot_note_altered(struct ksm_slot *slot, uintptr_t addr, size_t length);

/* Replaces free pages by new ones with ordinary rights and flags, which are zero. 0 or -errno. */
int ksm_slot_renew(struct ksm_slot *slot, uint32_t page, uint32_t pages);

/*
 * Says of memory that was mapped within the slot what the rest of it has been told; named: unless it is a file's. True if
 * the kernel took the advice.
 */
bool ksm_slot_introduce(struct ksm_slot *slot, void *addr, size_t length, bool named);

KSM_INLINE void *ksm_slot_address(const struct ksm_slot *slot, uint32_t page)
{
	return (void *)(slot->base + ((uintptr_t)page << KSM_PAGE_SHIFT));
}

#endif
