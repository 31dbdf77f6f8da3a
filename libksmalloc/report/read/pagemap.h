/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pagemap: what the kernel says of one page of a process, in the bits of an entry of /proc/PID/pagemap.
 *
 * What it is: those bits, from the kernel's documentation.
 * What it is not: a reader; who needs entries reads them (presence.h, sharing.h, store_files.h, reader.h).
 * Invariants: an entry that is 0 has no page.
 * Locking and owner: none.
 * Failure: none.
 */
#ifndef KSR_READ_PAGEMAP_H
#define KSR_READ_PAGEMAP_H

#include <stdbool.h>
#include <stdint.h>

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

#endif
