/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapping: the program's own private anonymous mappings, counted and, in the shared layout, placed.
 *
 * What it is: a set of address ranges that follows the program's mmap, munmap
 * and mremap, the two totals in the segment that come from it, and the choice of
 * an address in the region of mappings: the lowest that is free, so that it
 * depends on nothing but the calls before it. And, where such mappings are shared (the option share_mappings), which of
 * them may be, and what the program has said of them that memory in their place must have, too.
 * What it is not: a limit to the program. A mapping that asks for an address, a kind
 * of memory or a size of its own stays where the kernel puts it; munmap, MAP_FIXED
 * and mremap inside of a placed one work as ever.
 *
 * Invariants: those of ranges. A range made without access rights counts as reserved, not as
 * live. Each call takes time in the logarithm of the number of ranges.
 * Locking: a word that names its holder and is tried for a while: the calls may come from a
 * signal handler that interrupted one of them, which gives up at once. Who does not get it
 * counts its call as untracked and goes on.
 * Failure: without memory for the set, calls are counted as untracked. From then on no mapping is shared that is
 * not shared already.
 */
#ifndef KSM_MAPPING_H
#define KSM_MAPPING_H

#include "base.h"
#include "store/share.h"

/* Before the first call: is this one of the programs whose mappings are shared (the option share_mappings)? */
KSM_COLD void ksm_mapping_init(void);
bool ksm_mapping_are_shared(void);

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
 * Advice that memory must not lose was given for these pages, or ended: new memory in their place gets it, too. After
 * MADV_WIPEONFORK and MADV_UNMERGEABLE, and for others than an advice (0), they are not shared from now on. True if all of
 * them are mappings of the program's that are known here. The call to the kernel is made under the same ksm_shared_hold().
 */
bool ksm_mapping_note_advice(const void *addr, size_t length, int advice);

/*
 * Adds pages of the slice that may be shared to the set, if they merge, and takes other mappings of the program's off. For a pass:
 * nobody is in ksm_shared_hold(). None at all, if a thread that was stopped has the set.
 */
void ksm_mapping_allow(uintptr_t slice, bool merges, struct ksm_share_set *allowed);

/* True if all of these pages are mappings of the program's that are known here. */
bool ksm_mapping_is_known(const void *addr, size_t length);

/* True if all of these pages may be shared, as far as is known here. */
bool ksm_mapping_may_share(const void *addr, size_t length);

/* Says of memory in the place of such pages what the program has said of theirs. */
void ksm_mapping_introduce(void *addr, size_t length);

/*
 * Around a fork: the set is whole in the child, or empty if another thread did not let go of it
 * in time, or if it was a fork without ksm_mapping_prefork().
 */
void ksm_mapping_prefork(void);
void ksm_mapping_postfork_parent(void);
void ksm_mapping_postfork_child(void);

/* In a child of whichever fork, once it has its locks: what MADV_DONTFORK has kept from it is forgotten. */
void ksm_mapping_forget_unforked(void);

/* Writes the totals into the segment once there is one. */
void ksm_mapping_publish(void);

#endif
