/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * change: which pages of a process are written, or given back, while one looks.
 *
 * What it is: a sample of a process's private pages at two moments, as hashes, counted by region.
 * What it is not: a comparison of processes (scan.h). What is written with the content that it had is not seen.
 * Invariants: of each region changed + gone is at most pages. What the store has taken meanwhile is neither: it is as it was.
 * Locking and owner: one thread; the process goes on running. The space is the caller's, and must live as long.
 * Failure: -errno.
 */
#ifndef KSR_PAGES_CHANGE_H
#define KSR_PAGES_CHANGE_H

#include "read/space.h"

/* Pages that are looked at, at most: those of more memory are a part, spread over all of it. */
#define KSR_CHANGE_MOST 32768

struct ksr_change {
	uint64_t pages; /* that were there at the first moment */
	uint64_t changed;
	uint64_t gone;
};

struct ksr_changes;

/* The first moment. every: as in a comparison. */
int ksr_changes_begin(const struct ksr_fs *fs, const struct ksr_space *space, uint64_t every,
		      struct ksr_changes **changes);
/* The second one. counts has one entry for each region of the space. */
int ksr_changes_end(struct ksr_changes *changes, struct ksr_change *counts);
void ksr_changes_destroy(struct ksr_changes *changes);

#endif
