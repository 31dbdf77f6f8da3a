/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared_table: an entry for each slice of the address space that has, or had, shared pages.
 *
 * What it is: memory for the entries, and ways to find them: that of an address, and the first one in a range.
 * What it is not: a decision about them. Who notes or forgets pages is shared.h.
 *
 * Locking: none. A slice's sets are atomic words; entries are made by passes only, while nobody else runs.
 * Failure: there is no entry.
 */
#ifndef KSM_SHARED_TABLE_H
#define KSM_SHARED_TABLE_H

#include "base.h"
#include "store/share_set.h"

/* Files that one slice may have pages of. */
#define KSM_SHARED_LAYERS 3u

struct ksm_shared_layer {
	uint64_t inode; /* of the file, 0 for none */
	bool is_huge;	/* where all of the slice is mapped: by a huge page, if nothing of it was copied */
	struct ksm_share_set mapped;
};

struct ksm_shared_slice {
	struct ksm_shared_layer layers[KSM_SHARED_LAYERS];
};

/* A slice of the address space that neither memory of the program's nor this table comes near. */
uintptr_t ksm_shared_window(void);

/*
 * The entry of the slice that lies at this address; NULL if there is none. make: unless there is no memory. Then, which
 * only a pass may do, entries of other slices outside of the span that have no page are void.
 */
struct ksm_shared_slice *ksm_shared_find(uintptr_t address, bool make);

/*
 * The first address from this one on, before the end, that lies in a slice with shared pages; the end if there is none.
 * What it costs depends on how many slices have entries, and on how many GiB the range has, not on its slices.
 */
uintptr_t ksm_shared_skip_to_pages(uintptr_t at, uintptr_t end);

#endif
