/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapping: the program's own private anonymous mappings, counted and, in the shared layout, placed.
 *
 * What it is: a set of address ranges that follows the program's mmap, munmap
 * and mremap, the two totals in the segment that come from it, and the choice of
 * an address in the region of mappings: the lowest that is free, so that it
 * depends on nothing but the calls before it.
 * What it is not: a limit to the program. A mapping that asks for an address, a kind
 * of memory or a size of its own stays where the kernel puts it; munmap, MAP_FIXED
 * and mremap inside of a placed one work as ever.
 *
 * Invariants: those of ranges. A range made without access rights counts as reserved, not as
 * live. Each call takes time in the logarithm of the number of ranges.
 * Locking: a word that names its holder and is tried for a while: the calls may come from a
 * signal handler that interrupted one of them, which gives up at once. Who does not get it
 * counts its call as untracked and goes on.
 * Failure: without memory for the set, calls are counted as untracked.
 */
#ifndef KSM_MAPPING_H
#define KSM_MAPPING_H

#include "base.h"

void ksm_mapping_note_map(void *addr, size_t length, int prot, int flags);
void ksm_mapping_note_unmap(const void *addr, size_t length);
void ksm_mapping_note_remap(const void *old, size_t old_length, const void *addr, size_t length,
			    int flags);

/*
 * Makes a mapping at a place of the shared layout, the lowest that is free and no nearer to the begin of the thread's
 * part of the region than distance, a number of whole pages; 0 if distance is more than there is. Returns false if the call is none of
 * those that get a place, or if there is none; nothing was done then. errno is not changed.
 */
bool ksm_mapping_place(size_t distance, size_t length, int prot, int flags, void **result);

/* Bytes of live mappings. */
uint64_t ksm_mapping_live_bytes(void);

/*
 * Around a fork: the set is whole in the child, or empty if another thread did not let go of it
 * in time, or if it was a fork without ksm_mapping_prefork().
 */
void ksm_mapping_prefork(void);
void ksm_mapping_postfork_parent(void);
void ksm_mapping_postfork_child(void);

/* Writes the totals into the segment once there is one. */
void ksm_mapping_publish(void);

#endif
