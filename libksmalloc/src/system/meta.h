/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * meta: memory for the library's own bookkeeping, apart from all blocks.
 *
 * What it is: a bump allocator over private mappings. Nothing is ever freed;
 * owners of short-lived objects keep lists of their own for reuse.
 * What it is not: mergeable, or reachable through malloc and free.
 * Invariants: memory is zero, aligned to 64 bytes, and stays where it is.
 * Locking: its own lock, the innermost of the library; see src/README.md.
 * Failure: NULL when the system has no memory.
 */
#ifndef KSM_META_H
#define KSM_META_H

#include "base.h"
#include "system/lock.h"

/* Returns length zero bytes, or NULL. */
void *ksm_meta_alloc(size_t length);

/* Who has the lock. */
enum ksm_lock_holder ksm_meta_lock_holder(void);

void ksm_meta_prefork(void);
void ksm_meta_postfork_parent(void);
void ksm_meta_postfork_child(void);

#endif
