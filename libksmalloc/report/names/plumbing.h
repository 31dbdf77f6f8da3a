/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plumbing: which functions are only the way to the allocator?
 *
 * What it is: one table of functions and modules.
 * What it is not: a reader of files; names are the caller's.
 * Locking and owner: pure.
 * Failure: none.
 */
#ifndef KSR_NAMES_PLUMBING_H
#define KSR_NAMES_PLUMBING_H

#include "base.h"

/* Is this frame only the way to the allocator? module is the last component of its path. */
bool ksr_is_plumbing(const char *function, const char *module);

#endif
