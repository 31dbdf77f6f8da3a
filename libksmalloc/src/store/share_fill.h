/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share_fill: pages of the process's own go into a new mapping of a file that has holes there.
 *
 * What it is: a copy from what was saved (share.h), past the file: a write would give the file a page of zeros for each.
 * What it is not: needed. Who finds a page not filled writes it.
 * Locking: as share. Failure: nothing more is filled.
 */
#ifndef KSM_SHARE_FILL_H
#define KSM_SHARE_FILL_H

#include "store/share.h"

/*
 * Of the slice at this address, in one mapping that nobody has touched since it was made. filled: those of the pages
 * that were.
 */
void ksm_share_fill(struct ksm_share_work *work, uintptr_t address, const struct ksm_share_set *pages,
		    struct ksm_share_set *filled);

#endif
