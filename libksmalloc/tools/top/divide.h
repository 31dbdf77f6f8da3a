/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * divide: what stores take and save, divided among the processes that map them.
 *
 * What it is: arithmetic. A store's files count once; of them each process has a part in the proportion of what it maps,
 * so that the figures of processes add up to those of their group.
 * What it is not: a reader.
 * Invariants: of the processes of one store, the sum of needs is that of their own Pss and what the store takes, and the
 * sum of needs and saved is what all would need without it; but for rounding, and for a store that takes more than it
 * saves.
 * Locking and owner: pure; the processes are the caller's.
 * Failure: -ENOMEM.
 */
#ifndef KSR_TOP_DIVIDE_H
#define KSR_TOP_DIVIDE_H

#include "top/sample.h"

struct ksr_top_sharer {
	uint64_t store;	    /* the same for all of one store; 0: none */
	uint64_t pss;	    /* of all of its memory */
	uint64_t store_pss; /* of it, pages of the store */
	uint64_t shared;    /* what it maps of the store, resident or not */
	const struct ksmalloc_segment_store_file *files; /* KSMALLOC_MAX_STORE_FILES; NULL without a store */
	struct ksr_figures *figures; /* needs and store are set */
};

int ksr_top_divide(struct ksr_top_sharer *sharers, size_t count);

#endif
