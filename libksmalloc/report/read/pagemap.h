/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pagemap: what the kernel says of the pages of a process, in /proc/PID/pagemap.
 *
 * What it is: its entries, and their bits, from the kernel's documentation.
 * What it is not: what follows from them (presence.h, sharing.h, store_files.h, reader.h).
 * Invariants: an entry that is 0 has no page.
 * Locking and owner: no state; the file is the caller's.
 * Failure: -errno.
 */
#ifndef KSR_READ_PAGEMAP_H
#define KSR_READ_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KSR_PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define KSR_PAGEMAP_SWAPPED (UINT64_C(1) << 62)
/* It belongs to a file, or to memory that is shared. */
#define KSR_PAGEMAP_FILE (UINT64_C(1) << 61)
/* Where it lies in the machine; 0 for all but root. */
#define KSR_PAGEMAP_FRAME ((UINT64_C(1) << 55) - 1)

/* Is there a page, in memory or swapped out, that is the process's own? */
static inline bool ksr_pagemap_is_own(uint64_t entry)
{
	return (entry & (KSR_PAGEMAP_PRESENT | KSR_PAGEMAP_SWAPPED)) && !(entry & KSR_PAGEMAP_FILE);
}

/* Reads the entries of count pages from this page on, the number of which is its address by the size of a page. Returns how many there are. */
ssize_t ksr_pagemap_read(int fd, uint64_t page, size_t count, uint64_t *entries);

#endif
