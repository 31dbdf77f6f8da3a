/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share_fill: pages of the process's own go into a new mapping of a file that has holes there.
 *
 * What it is: a copy from what was saved (share.h), past the file: a write would give the file a page of zeros for each.
 * What it is not: needed. Who finds a page not filled writes it. So that this stays the exception, whoever chooses what
 * to map asks before whether it can be done, and maps over few holes where it cannot.
 * Locking: as share. Failure: nothing more is filled until the work is closed.
 */
#ifndef KSM_SHARE_FILL_H
#define KSM_SHARE_FILL_H

#include "store/share.h"

/*
 * True if it can be done, as far as is known: the kernel can do it, and there is a descriptor for it, which is
 * opened here. A process may have no descriptor left at the moment, and the next time that it is asked.
 */
bool ksm_share_can_fill(struct ksm_share_work *work);

/*
 * Of the slice at this address, in one mapping that nobody has touched since it was made. filled: those of the pages
 * that were.
 */
void ksm_share_fill(struct ksm_share_work *work, uintptr_t address, const struct ksm_share_set *pages,
		    struct ksm_share_set *filled);

/* The work is closed. */
void ksm_share_end_filling(struct ksm_share_work *work);

#endif
