/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * span: where slots lie in the address space.
 *
 * What it is: the range of addresses that free() tests for, cut into slots of
 * equal size, the table from a slot to its owner, and the choice of a slot.
 * What it is not: memory: nothing here is mapped or reserved.
 *
 * Layout: the span is 16 TiB (256 GiB where user addresses have 39 bits) in two
 * halves; slots lie in the lower one, the upper is for the region heap and
 * the program's own mappings in the shared layout. In the private layout the base is
 * random for each process, and slots are chosen from a window of 512, so that
 * they share upper page tables. In the shared layout base and choice come from
 * the group's seed. Rows of slots side by side, for labelled arenas, come from a
 * window in which no other pool has its first choices: what else a process
 * allocates does not move them.
 *
 * Invariants: slots are a multiple of their size away from the base, which is
 * aligned to 2 MiB; the slot of a pool never goes to another one, but those of rows
 * go to later rows.
 * Locking: the table is atomic; ksm_span_init() runs once before all else. Rows are
 * taken and given back under a lock of the caller's.
 * Failure: -ENOSPC if no slot is free.
 */
#ifndef KSM_SPAN_H
#define KSM_SPAN_H

#include "base.h"

#include <stdatomic.h>

struct ksm_slot;

#define KSM_SPAN_SLOTS 8192u
#define KSM_SPAN_ALIGNMENT (2 * KSM_MIB) /* of the base */

/*
 * What the entry points compare with, together in one cache line. At first each malloc and each free
 * takes the slow path, which initialises, and no pointer is placed. In a process that has another
 * malloc (late.h) the first two stay as they are. Synchronization: relaxed atomics, written
 * once; end after low.
 */
struct ksm_gate {
	uintptr_t entry_threshold; /* malloc and its like: as threshold, or 0 */
	uintptr_t entry_end;	/* free and its like, by whichever name: as end, or the largest address */
	uintptr_t threshold;	/* blocks of this size on take the slow path */
	uintptr_t low;		/* the half of the span that holds slots: [low, end) */
	uintptr_t end;
	uintptr_t place_from;	/* blocks of this size on may be placed: at least threshold */
};

extern struct ksm_gate ksm_gate __attribute__((visibility("hidden")));

/* Owner of slots that are given up: never dereferenced. */
#define KSM_SPAN_ABANDONED ((struct ksm_slot *)(uintptr_t)1)

/* Where slots lie. Synchronization: constant after the start. */
struct ksm_span_map {
	uintptr_t base;
	uint32_t slot_shift;
};

extern struct ksm_span_map ksm_span_map __attribute__((visibility("hidden")));

/* Which slot belongs to whom. Synchronization: atomic. */
extern _Atomic(struct ksm_slot *) ksm_span_owners[KSM_SPAN_SLOTS] __attribute__((visibility("hidden")));

/*
 * True if p may lie in a slot: what free() compares. jemalloc's memory
 * comes from mmap, which the kernel puts above the span; where it does not
 * (an unlimited stack leaves it room below only), this is true for more pointers
 * and ksm_span_holds() tells them apart.
 */
KSM_INLINE bool ksm_span_may_hold(const void *p)
{
	return (uintptr_t)p < __atomic_load_n(&ksm_gate.end, __ATOMIC_RELAXED);
}

/* True if p need not be looked at: jemalloc's, as all blocks from there on. */
KSM_INLINE bool ksm_span_is_beyond(const void *p)
{
	return (uintptr_t)p >= __atomic_load_n(&ksm_gate.entry_end, __ATOMIC_RELAXED);
}

/* True if p lies in the half of the span that holds slots. */
KSM_INLINE bool ksm_span_holds(const void *p)
{
	return ksm_span_may_hold(p) &&
	       (uintptr_t)p >= __atomic_load_n(&ksm_gate.low, __ATOMIC_RELAXED);
}

/* True if a block of size bytes takes the short path. */
KSM_INLINE bool ksm_span_is_small(size_t size)
{
	return size < __atomic_load_n(&ksm_gate.threshold, __ATOMIC_RELAXED);
}

/* True if a block of size bytes is too small to be placed; it may take the slow path all the same. */
KSM_INLINE bool ksm_span_is_too_small(size_t size)
{
	return size < __atomic_load_n(&ksm_gate.place_from, __ATOMIC_RELAXED);
}

/* The same for the usual names. */
KSM_INLINE bool ksm_span_is_small_entry(size_t size)
{
	return size < __atomic_load_n(&ksm_gate.entry_threshold, __ATOMIC_RELAXED);
}

/*
 * Chooses the base, unless that was done. Nothing lies in the span yet. probe is the address of
 * any mapping that the kernel has placed, so that the span keeps away from there.
 */
void ksm_span_init(const void *probe);

/* Lets free() find blocks in slots. */
void ksm_span_open(void);

/*
 * Where, from the base on, the slot of this number of a pool with this seed would lie in a process of a group with this secret, if no
 * other had it already.
 */
uint64_t ksm_span_usual_offset(uint64_t secret, uint64_t seed, uint32_t number);

/* The half of the span that has no slots. */
uintptr_t ksm_span_upper_half(size_t *length);

/* log2 of the size of a slot. */
uint32_t ksm_span_slot_shift(void);

/*
 * True if a block at the same place of its site's slot lies in the same place of its GiB in all
 * processes, as the peers of a hint do.
 */
bool ksm_span_has_peers(void);

/* The owner of the slot that p lies in, or NULL. p is held by the span. */
KSM_INLINE struct ksm_slot *ksm_span_slot_at(const void *p)
{
	uintptr_t index = ((uintptr_t)p - ksm_span_map.base) >> ksm_span_map.slot_shift;
	struct ksm_slot *owner = atomic_load_explicit(&ksm_span_owners[index], memory_order_acquire);

	return ksm_unlikely(owner == KSM_SPAN_ABANDONED) ? NULL : owner;
}

/* The same of any pointer, once there are slots: one comparison says whether it lies in the half that holds them. */
KSM_INLINE struct ksm_slot *ksm_span_slot_of_any(const void *p)
{
	uintptr_t index = ((uintptr_t)p - ksm_span_map.base) >> ksm_span_map.slot_shift;

	return ksm_likely(index < KSM_SPAN_SLOTS) ? ksm_span_slot_at(p) : NULL;
}

/*
 * Takes a free slot for owner. seed and part (of the process) select the order of candidates, probe is
 * the number of candidates to skip and is advanced past the one taken.
 * Returns the slot's address, or 0 if all candidates are taken.
 */
uintptr_t ksm_span_claim(uint64_t seed, uint32_t part, uint32_t *probe, struct ksm_slot *owner);

/*
 * Takes count free slots side by side, at least one, in the order that seed selects; probe as above. They have no owner
 * until ksm_span_own() gives each of them one. Returns the address of the first, or 0 if there is no such row.
 */
uintptr_t ksm_span_claim_row(uint64_t seed, uint32_t count, uint32_t *probe);
void ksm_span_own(uintptr_t address, struct ksm_slot *owner);

/* Makes the slots of a row free for other rows. They have no owner. */
void ksm_span_give_back_row(uintptr_t address, uint32_t count);

/* Where, from the base on, such a row would lie in a process of a group with this secret; see ksm_span_usual_offset(). */
uint64_t ksm_span_usual_offset_of_row(uint64_t secret, uint64_t seed, uint32_t count);

/* Gives up a slot for ever, because something that is not ours lies there. */
void ksm_span_abandon(uintptr_t address);

#endif
