/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run: which pages of a slot belong to which block.
 *
 * What it is: bookkeeping of one slot's pages, apart from the pages: used and
 * free runs, the size of each block, and which free pages may still hold old
 * bytes ("kept"). Choice is by lowest address and depends on nothing else.
 * What it is not: memory. It maps, advises and clears nothing.
 *
 * Invariants (ksm_runs_check()): a block starts at a page whose size entry is
 * not 0 and covers used pages only; pages below first_free's chunk are used;
 * kept is the number of pages that are dirty and not used.
 * Locking: the caller's. Failure: -ENOMEM if there is no memory for bookkeeping.
 */
#ifndef KSM_RUN_H
#define KSM_RUN_H

#include "base.h"

/* Pages are kept track of in chunks of 2 MiB. */
#define KSM_CHUNK_PAGES 512u
#define KSM_CHUNK_WORDS (KSM_CHUNK_PAGES / 64)

/* The largest slot: 1 GiB of 4 KiB pages. */
#define KSM_RUN_MAX_PAGES (1u << 18)

/* Chunks that a small slot has room for without a table of its own. */
#define KSM_FEW_CHUNKS 8u

struct ksm_run_chunk {
	uint64_t used[KSM_CHUNK_WORDS];
	uint64_t dirty[KSM_CHUNK_WORDS];	/* may hold bytes other than zero */
	uint16_t free_pages;
	uint16_t kept_pages;
	uint16_t free_bound;	/* no free run inside of the chunk is longer */
	uint16_t *owners;	/* of blocks, by first page; NULL unless the slot has many owners */
	uint32_t blocks[KSM_CHUNK_PAGES];	/* pages << 12 | unused bytes, at a block's first page */
};

struct ksm_runs {
	uint32_t capacity;	/* pages */
	uint32_t first_free;	/* chunks before this one have no free page */
	uint32_t used_pages;
	uint32_t kept_pages;
	bool has_owners;
	struct ksm_run_chunk **chunks;	/* by chunk; NULL for chunks that were never used */
	uint32_t chunk_slots;	/* entries in chunks */
	struct ksm_run_chunk *few[KSM_FEW_CHUNKS];
};

void ksm_runs_init(struct ksm_runs *runs, uint32_t capacity, bool has_owners);

/* The lowest free run of pages whose first page is a multiple of align, or -1. */
int64_t ksm_runs_find(struct ksm_runs *runs, uint32_t pages, uint32_t align);

/*
 * Makes [page, page + pages) a block of bytes bytes. The pages are free.
 * *kept is the number of its pages that may hold old bytes.
 */
int ksm_runs_take(struct ksm_runs *runs, uint32_t page, uint32_t pages, uint64_t bytes,
		  uint16_t owner, uint32_t *kept);

/* Describes the block that starts at page: its pages, 0 if none starts there. */
uint32_t ksm_runs_block(const struct ksm_runs *runs, uint32_t page, uint64_t *bytes,
			uint16_t *owner);

/* True if page is inside of a block. */
bool ksm_runs_is_used(const struct ksm_runs *runs, uint32_t page);

/* Frees the block at page; its pages become kept. */
void ksm_runs_release(struct ksm_runs *runs, uint32_t page);

/* True if the block at page can get pages pages in its place. */
bool ksm_runs_can_resize(const struct ksm_runs *runs, uint32_t page, uint32_t pages);

/*
 * Changes the block at page to pages pages and bytes bytes. Returns 0, -ENOSPC
 * if the pages behind it are not free, -ENOMEM. *kept as in ksm_runs_take(),
 * of the pages that were added.
 */
int ksm_runs_resize(struct ksm_runs *runs, uint32_t page, uint32_t pages, uint64_t bytes,
		    uint32_t *kept);

/* True if the page was in use since it was last known to be zero. */
bool ksm_runs_is_dirty(const struct ksm_runs *runs, uint32_t page);

/*
 * Finds the highest run of kept pages that ends at or below before.
 * Returns its pages and sets *page, or returns 0.
 */
uint32_t ksm_runs_highest_kept(const struct ksm_runs *runs, uint32_t before, uint32_t *page);

/* Says that these free pages are zero again. */
void ksm_runs_clean(struct ksm_runs *runs, uint32_t page, uint32_t pages);

/* Checks the invariants by counting; for tests. True if they hold. */
bool ksm_runs_check(const struct ksm_runs *runs);

#endif
