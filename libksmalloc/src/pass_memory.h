/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pass_memory: which memory of the process may be shared, and what is said to the kernel of memory in its place.
 *
 * What it is: what merges may be shared: advised slots that are not exempt, and the region heap, but for what the program has
 * altered or kept out, and for the stack that a pass runs on.
 * What it is not: a look at what is mapped there.
 *
 * Locking: none; the process has one thread, and no signal handler runs. Failure: none.
 */
#ifndef KSM_PASS_MEMORY_H
#define KSM_PASS_MEMORY_H

#include "share.h"

/* Pages of the slice at this address that may be shared. */
void ksm_pass_memory_allow(uintptr_t slice, struct ksm_share_set *allowed);

/* True if this may be the stack of who asks: coroutines run on stacks that they have from malloc. */
bool ksm_pass_memory_holds_stack(uintptr_t slice);

/* Says of memory in the place of shared pages what was said of the rest of its slot or region. */
void ksm_pass_memory_introduce(void *addr, size_t length);

/* The same of a mapping of the store: it can have no name. */
void ksm_pass_memory_introduce_shared(void *addr, size_t length);

#endif
