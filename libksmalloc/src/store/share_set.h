/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share_set: sets of the pages of one slice.
 *
 * What it is: a bit for each page. What it is not: a look at them.
 * Locking: the caller's. Failure: none.
 */
#ifndef KSM_SHARE_SET_H
#define KSM_SHARE_SET_H

#include "base.h"
#include "os/os.h"

#define KSM_SHARE_SLICE (2 * KSM_MIB)
#define KSM_SHARE_PAGES ((uint32_t)(KSM_SHARE_SLICE >> KSM_PAGE_SHIFT))

/* A bit for each page of a slice. */
struct ksm_share_set {
	uint64_t words[KSM_SHARE_PAGES / 64];
};

KSM_INLINE bool ksm_share_has(const struct ksm_share_set *set, uint32_t page)
{
	return set->words[page / 64] >> page % 64 & 1;
}

KSM_INLINE void ksm_share_add(struct ksm_share_set *set, uint32_t page)
{
	set->words[page / 64] |= UINT64_C(1) << page % 64;
}

KSM_INLINE void ksm_share_remove(struct ksm_share_set *set, uint32_t page)
{
	set->words[page / 64] &= ~(UINT64_C(1) << page % 64);
}

/* Those pages of a range of addresses that lie in the slice at this address are added, or removed. */
void ksm_share_add_range(struct ksm_share_set *set, uintptr_t slice, uintptr_t begin, uintptr_t end);
void ksm_share_remove_range(struct ksm_share_set *set, uintptr_t slice, uintptr_t begin, uintptr_t end);

/* Adds to the set what is in the other one; leaves in it what is there, too, or what is not; the number of pages. */
void ksm_share_unite(struct ksm_share_set *set, const struct ksm_share_set *other);
void ksm_share_keep(struct ksm_share_set *set, const struct ksm_share_set *other);
void ksm_share_drop(struct ksm_share_set *set, const struct ksm_share_set *other);
uint32_t ksm_share_count(const struct ksm_share_set *set);

/* Pages that are in a set, one after the other. */
struct ksm_share_run {
	uint32_t begin;
	uint32_t end;
};

/* The first run of the set at or behind the end of this one, which begins as { 0, 0 }; false if there is none. */
bool ksm_share_next_run(const struct ksm_share_set *set, struct ksm_share_run *run);

#endif
