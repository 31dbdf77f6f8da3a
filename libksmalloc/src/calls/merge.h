/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * merge: what the program itself says about merging.
 *
 * What it is: the explicit calls: that blocks are settled, and that they are to be
 * merged now. Both are about placed blocks; the second is also about heap and
 * mappings of the shared layout.
 * What it is not: the sampling that finds settled sites by itself.
 *
 * Locking: sites' locks, one at a time, and never while the kernel merges: what is in use
 * stays mapped, since the caller holds the block, and slots are never unmapped.
 * Failure: -errno as ksmalloc/ksmalloc.h says; nothing of the program fails by it.
 */
#ifndef KSM_MERGE_H
#define KSM_MERGE_H

#include "base.h"

/* ksmalloc_settled() and ksmalloc_merge_now(), after the library was started. */
int ksm_merge_settled(const void *block);
long ksm_merge_now(const void *block, bool try_only);

#endif
