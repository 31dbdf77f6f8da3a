/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * presence: which pages of a mapping there are.
 *
 * What it is: /proc/PID/pagemap, of a range, as a running sum: so many pages below this one are resident or swapped.
 * What it is not: what they hold, or who shares them (sharing.h).
 * Invariants: the sum never falls, and is no more than there are pages.
 * Locking and owner: the sums are the caller's, to be freed by ksr_presence_free().
 * Failure: -errno; -E2BIG for ranges whose sums would be large themselves, -ENODATA where no page is there.
 */
#ifndef KSR_READ_PRESENCE_H
#define KSR_READ_PRESENCE_H

#include "read/fs.h"

struct ksr_presence {
	uint64_t begin;
	uint64_t page_bytes;
	uint32_t *below; /* by page, and one more for all; NULL: not known */
	size_t pages;
};

int ksr_presence_read(const struct ksr_fs *fs, pid_t pid, uint64_t begin, uint64_t end,
		      struct ksr_presence *presence);
void ksr_presence_free(struct ksr_presence *presence);

/* Pages below an address of the range; of all at its end. */
uint64_t ksr_presence_below(const struct ksr_presence *presence, uint64_t address);

#endif
