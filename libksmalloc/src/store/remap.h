/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * remap: mremap(2) of what was one mapping to the program, and is several to the kernel since pages of it were shared.
 *
 * What it is: the call that the kernel refused with EFAULT, piece by piece: in its place where there is room behind it, else at
 * another place, to which the pages go as they are. Signals are blocked meanwhile.
 * What it is not: for mappings with other rights than to read and write, for MREMAP_DONTUNMAP, or for what is shared still.
 *
 * Locking: none; under ksm_shared_hold(). No other thread uses memory that may be moved.
 * Failure: MAP_FAILED with errno, and memory is as it was.
 */
#ifndef KSM_REMAP_H
#define KSM_REMAP_H

#include "base.h"

/* What mremap() was called with. */
struct ksm_remap {
	char *old;
	size_t old_length;
	size_t new_length;
	int flags;
	char *to;
};

void *ksm_remap_pieces(const struct ksm_remap *call);

#endif
