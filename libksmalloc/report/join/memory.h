/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory: how much there is of it, and how much of it is saved, by smaps.
 *
 * What it is: the figures of a mapping, and sums and parts of such figures.
 *
 * What it is not: a reader. Where smaps leaves a doubt the figures say so, and who may counts pages one by one.
 *
 * How "saved" is found on a stock kernel. For a VMA, smaps gives R = Rss,
 * P = Pss, S = Shared_Clean + Shared_Dirty and K = KSM. R - P is what sharing
 * of any kind saves: each page mapped m times adds page * (1 - 1/m). It has two
 * sources, KSM and fork, and only the first counts:
 *   K = 0        all of R - P is fork's.
 *   S <= K       every shared page is KSM's: all of R - P is saved.
 *   0 < K < S    both. Shared pages that are not KSM's are F = S - K. With
 *                privilege the pages are counted one by one (pagemap,
 *                kpagecount, kpageflags). Without, R - P is divided in the
 *                proportion K : F, and the error is bounded, because a page
 *                mapped m >= 2 times adds between half and all of itself:
 *                max(K/2, R - P - F) <= saved <= min(K, R - P - F/2).
 * Two things no counter of a stock kernel tells. A KSM page whose partners have
 * exited is mapped once and counts in K, not in S; where K < S then F is taken
 * too small by as much. And a page that fork had shared before KSM merged it
 * becomes a KSM page in all relatives at once; it counts as saved, though part
 * of that is fork's. Zero pages placed by KSM are in no field of smaps; they
 * are one line of the reconciliation.
 *
 * What the library shares without KSM is told apart by the mapping: it is one of the store's file, and all of it that
 * the file has a page for and that was not copied by a write is shared, whether it was read since, and so is resident, or
 * not. `shared` is exact where the file's holes are known (read/store_files.h), else too large by these at most; what
 * such pages save is neither KSM's nor fork's.
 *
 * Invariants: parts of a figure add up to no more than it.
 *
 * Locking and owner: pure.
 *
 * Failure: none.
 */
#ifndef KSR_JOIN_MEMORY_H
#define KSR_JOIN_MEMORY_H

#include "read/smaps.h"

struct ksr_memory {
	uint64_t resident;
	uint64_t held; /* resident, or of the store and not looked at yet: what it is to the program */
	uint64_t own_pss;     /* its Pss, but for pages of a store */
	uint64_t merged;      /* mapped pages that are KSM's */
	uint64_t saved;	      /* by KSM */
	uint64_t saved_error; /* saved is right to this many bytes more or less */
	uint64_t stale;	      /* merged by the kernel's counters, and not mapped any more */
	uint64_t saved_freed; /* the share of freed memory that the allocator keeps: not saved */
	uint64_t fork_shared; /* saved by fork, not by KSM */
	uint64_t shared;      /* pages of the group's store that are mapped, resident or not, and not copied */
	uint64_t stored;      /* of that, its part of what the store's files take: the rest of it is saved */
	uint64_t swapped;
	uint64_t mergeable; /* resident bytes of VMAs marked mg */
	uint64_t not_asked; /* resident bytes of VMAs without it */
	uint64_t anonymous; /* resident bytes that no file has, pages of KSM too */
};

/* The figures of one VMA by smaps alone; true when they may be wrong by saved_error. */
bool ksr_memory_from_vma(const struct ksr_vma *vma, struct ksr_memory *memory);
/* Of the Pss of a private mapping of a file, what was written there; the rest is as the file has it. */
uint64_t ksr_written_pss(const struct ksr_vma *vma);
void ksr_memory_add(struct ksr_memory *sum, const struct ksr_memory *part);
/* part / whole of it. */
struct ksr_memory ksr_memory_share(const struct ksr_memory *memory, uint64_t part, uint64_t whole);

/* What [begin, end) of a whole has of it: for parts side by side, which add up to it. */
struct ksr_memory ksr_memory_between(const struct ksr_memory *memory, uint64_t begin, uint64_t end, uint64_t whole);
/* Takes a part off, as far as there is that much. */
void ksr_memory_take(struct ksr_memory *from, const struct ksr_memory *part);
/* What a part of what was has of what is, field by field. No sum of parts is more than the whole. */
struct ksr_memory ksr_memory_rescale(const struct ksr_memory *part, const struct ksr_memory *was,
				     const struct ksr_memory *is);
/* True if there is nothing of it. */
bool ksr_memory_is_empty(const struct ksr_memory *memory);

/* value * part / whole, 0 if whole is; no product is too large. */
static inline uint64_t ksr_scale(uint64_t value, uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t)((unsigned __int128)value * part / whole) : 0;
}

/* from - amount, at least 0. */
static inline uint64_t ksr_less(uint64_t from, uint64_t amount)
{
	return from > amount ? from - amount : 0;
}

#endif
