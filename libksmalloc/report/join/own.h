/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * own: what one process has, before it is added to the sums.
 *
 * What it is: its memory by site of its own segment, and by part outside of sites.
 * What it is not: joined here: aggregate.c walks over slots and mappings, exact.h takes the kernel's counters.
 * Locking and owner: the arrays are the caller's.
 * Failure: none.
 */
#ifndef KSR_JOIN_OWN_H
#define KSR_JOIN_OWN_H

#include "join/part.h"
#include "read/counters.h"
#include "read/smaps.h"

struct ksr_own_memory {
	struct ksr_memory *sites; /* by index in the segment */
	const struct ksr_counters **rows; /* the kernel's counters of each, or NULL */
	uint32_t site_count;
	struct ksr_memory nursery;
	struct ksr_memory outside;
	struct ksr_memory parts[KSR_PART_COUNT];
	bool has_part[KSR_PART_COUNT];
	/* What parts leave out: in the private layout, what is neither marked mergeable nor merged. */
	struct ksr_memory beyond[KSR_PART_COUNT];
};

/* Adds memory outside of slots to what is told of a part, or to what is not. */
void ksr_own_add_piece(enum ksr_part_id part, const struct ksr_memory *memory, bool is_told,
		       struct ksr_own_memory *own);

#endif
