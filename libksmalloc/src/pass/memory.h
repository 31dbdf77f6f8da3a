/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory: which memory of the process may be shared, and what is said to the kernel of memory in its place.
 *
 * What it is: what merges may be shared: advised slots that are not exempt, and in the shared layout the region heap, but for
 * what the program has altered or kept out, and for the stack that a pass runs on; there the data segments of files, too
 * (image.h); and, if the option share_mappings says so, the program's own mappings that are known (mapping.h).
 * What it is not: a look at what is mapped there.
 *
 * Locking: none; the process has one thread, and no signal handler runs. Failure: none.
 */
#ifndef KSM_PASS_MEMORY_H
#define KSM_PASS_MEMORY_H

#include "mapping/region.h"
#include "store/share.h"

/* Of this mapping the part that may hold something that may be shared; false if there is none, or its rights are others. */
bool ksm_pass_memory_find_part(const struct ksm_os_mapping *mapping, struct ksm_region_range *part);

/*
 * Where the slice at this address lies in files of the store; false if nowhere. In the shared layout that follows from its
 * address. In the private one slots lie elsewhere in each process, and what lies at the same place in the same site's
 * slot has the place in files that it would have in the shared layout: members of both layouts have one store.
 */
bool ksm_pass_memory_place(uintptr_t slice, uint64_t *place);

/* So long are files of the store: they have places for the span, and for all of the address space besides. */
uint64_t ksm_pass_memory_places(void);

/* Bytes that may be shared, roughly. */
uint64_t ksm_pass_memory_bytes(void);

/* Pages of the slice at this address that may be shared. */
void ksm_pass_memory_allow(uintptr_t slice, struct ksm_share_set *allowed);

/*
 * True if some of these pages, which may be shared or are, may be the stack of who asks: coroutines run on stacks that they have from
 * malloc. Or what libc has of the thread.
 */
bool ksm_pass_memory_holds_stack(uintptr_t slice, const struct ksm_share_set *touched);

/* False if the program has said something of these pages that memory in their place would lose. */
bool ksm_pass_memory_may_replace(void *addr, size_t length);

/* Says of memory in the place of shared pages what was said of the rest of its slot or region. */
void ksm_pass_memory_introduce(void *addr, size_t length);

/* The same of a mapping of the store: it can have no name. */
void ksm_pass_memory_introduce_shared(void *addr, size_t length);

#endif
