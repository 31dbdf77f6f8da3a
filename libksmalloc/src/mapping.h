/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapping: the program's own private anonymous mappings, counted.
 *
 * What it is: a set of address ranges that follows the program's mmap, munmap
 * and mremap, and the two totals in the segment that come from it.
 * What it is not: placement. Where the kernel put a mapping it stays.
 *
 * Invariants: ranges are sorted and do not overlap. A range made without access
 * rights counts as reserved, not as live.
 * Locking: a flag that is only tried: the calls may come from a signal handler
 * that interrupted one of them. Who does not get it counts its call as
 * untracked and goes on.
 * Failure: without memory for the set, calls are counted as untracked.
 */
#ifndef KSM_MAPPING_H
#define KSM_MAPPING_H

#include "base.h"

void ksm_mapping_note_map(const void *addr, size_t length, int prot, int flags);
void ksm_mapping_note_unmap(const void *addr, size_t length);
void ksm_mapping_note_remap(const void *old, size_t old_length, const void *addr, size_t length,
			    int flags);

/* Writes the totals into the segment once there is one. */
void ksm_mapping_publish(void);

#endif
