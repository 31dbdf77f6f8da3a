/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * newest: which free runs of a pool came back last.
 *
 * What it is: of each pool the last row of runs of one length, side by side, that magazines gave back one after the
 * other. Its newest end is in the processor's cache, while what is lowest may have left it long ago: a program that
 * frees more than the cache holds, and takes as much again, would find none of it there in the order of addresses.
 * What it is not: bookkeeping of what is free. A row is a hint, and is compared with the slot's runs before any of it
 * is given: nobody else who takes, frees or gives back pages needs to know of it.
 *
 * Only where memory is kept because the program has earned that (keep.h), and only from rows of KSM_NEWEST_ROW runs
 * and more: other blocks lie as low as they can, so that what lies above is free in one piece. Never in the
 * shared layout, or in a process that shares memory with a group: where a block lies in its slot must depend on the
 * program's calls alone there. And never in nurseries.
 *
 * Locking: the pool's lock. Failure: none of the pool's runs is known to be new.
 */
#ifndef KSM_NEWEST_H
#define KSM_NEWEST_H

#include "base.h"
#include "slot/slot.h"

/* Rows of fewer runs are not worth another order than that of addresses. */
#define KSM_NEWEST_ROW 16u

/* Runs of one length, side by side. The newest is the lowest of them, or the highest. */
struct ksm_newest_runs {
	struct ksm_slot *slot;
	uint32_t page;	/* of the lowest */
	uint32_t count;
	bool falls;	/* each lies below those that are older */
};

/*
 * Runs of one length came back, on pages pages side by side; the newest is the lowest if they fall. They continue the
 * row that lies beside them, or are a new one. 0 as their length: they had several, and are no row.
 */
void ksm_newest_note_locked(struct ksm_slot *slot, uint32_t page, uint32_t pages, uint32_t length, bool falls);

/*
 * Takes up to most runs of so many pages from the newest end of the pool's row: all of them are free and kept, and the
 * caller takes them now. False if there is none.
 */
bool ksm_newest_take_locked(struct ksm_pool *pool, uint32_t length, uint32_t most, struct ksm_newest_runs *runs);

#endif
