/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mark: which members have which content at a place, in the table of their group's store.
 *
 * What it is: for each page of a slice hashes of the last contents, with the members that had them.
 * What it is not: proof. A hash may be anybody's; who publishes a page for it costs memory for nothing at worst.
 *
 * Locking: the slice's marks are locked while they are read, changed and written, as a part of the file: two members
 * that make their passes at the same time, as workers do, would lose some, which they would write again a pass later.
 * Not for ever: one that has the lock may be stopped. Then, and where there are no such locks, they are written without
 * it.
 * Failure: -errno; nothing is common then.
 */
#ifndef KSM_STORE_MARK_H
#define KSM_STORE_MARK_H

#include "store/table.h"

/*
 * Marks pages of a slice, of which address and place count, as this member's. common: those of them that another member
 * has marked with the same content at the same place. They are read, so that nobody may write meanwhile.
 */
int ksm_store_mark(struct ksm_store *store, const struct ksm_share_slice *slice, const struct ksm_share_set *pages,
		   struct ksm_share_set *common);

#endif
