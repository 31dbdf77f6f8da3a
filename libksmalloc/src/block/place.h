/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place: room for a block in the slots of a pool.
 *
 * What it is: the lowest free run of the pool's slots that is long enough, in the order of the slots,
 * and a new slot if there is none; the run that came back last where that is better (newest.h); an empty slot for a
 * large block that grows; and what has to be zero of a new block.
 * What it is not: counters of sites, or a decision which pool a block lies in.
 *
 * Locking: the pool's lock for all but ksm_place_clear(), for which the block is the caller's.
 * Failure: false, and nothing was taken.
 */
#ifndef KSM_PLACE_H
#define KSM_PLACE_H

#include "base.h"
#include "slot/slot.h"

struct ksm_place {
	struct ksm_slot *slot;
	uint32_t page;
	uint32_t pages;
	uint32_t kept;	/* of its pages that may hold old bytes */
};

/* What is asked of a place. */
struct ksm_place_wish {
	size_t size;	/* 0 is taken for 1 */
	size_t align;
	uint16_t owner;
	/*
	 * It grows step by step: a slot of its own lets it do so in its place. A pool has a few of
	 * those, and what comes later does without.
	 */
	bool grows;
	bool prefers_newest;	/* to the lowest one the run that came back last (newest.h) */
};

bool ksm_place_take_locked(struct ksm_pool *pool, const struct ksm_place_wish *wish,
			   struct ksm_place *place);

/*
 * Clears what must be zero of a new block: its tail, or all of it. Pages that are not
 * dirty are zero already, and writing to them would only make them resident. Returns the block.
 */
void *ksm_place_clear(const struct ksm_place *place, size_t size, bool zero);

/* Clears a block from size to the end of its last page. */
void ksm_place_clear_tail(void *block, size_t size, size_t whole);

#endif
