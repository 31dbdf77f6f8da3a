/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run: which pages of a slot belong to which block.
 *
 * What it is: bookkeeping of one slot's pages, apart from the pages: used and
 * free runs, the size of each block, and which free pages may still hold old
 * bytes ("kept"). Choice is by lowest address and depends on nothing else.
 * What it is not: memory. It maps, advises and clears nothing.
 *
 * Aside: a run that its owner has set aside in a magazine counts as used and belongs to no block:
 * its entry says so, which tells a block that is freed twice from an address inside of one.
 *
 * Invariants (ksm_runs_check()): a block starts at a page whose entry is
 * not 0 and covers used pages only; the tree's edges are exact, and no free run inside of a
 * node is longer than it says; kept is the number of pages that are dirty and not used.
 * Locking: the caller's, but for entries: who has a block, or a run that was set aside, may
 * read and write its entry without the lock, since the entry stays where it is.
 * Failure: -ENOMEM if there is no memory for bookkeeping.
 */
#ifndef KSM_RUN_H
#define KSM_RUN_H

#include "base.h"
#include "os/os.h"
#include "slot/run_tree.h"

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
	uint16_t *owners;	/* of blocks, by first page; NULL unless the slot has many owners */
	/* pages << 12 | unused bytes, at a block's first page. Synchronization: atomic. */
	uint32_t blocks[KSM_CHUNK_PAGES];
};

struct ksm_runs {
	uint32_t capacity;	/* pages */
	uint32_t used_pages;
	uint32_t kept_pages;
	bool has_owners;
	/*
	 * By chunk; NULL for chunks that were never used. It is replaced once by a longer one, whose
	 * length is stored after it, and the old one stays. Synchronization: atomic.
	 */
	struct ksm_run_chunk **chunks;
	uint32_t chunk_slots;	/* entries in chunks, a power of two */
	struct ksm_run_free *tree; /* over them */
	struct ksm_run_chunk *few[KSM_FEW_CHUNKS];
	struct ksm_run_free few_tree[2 * KSM_FEW_CHUNKS];
};

#define KSM_RUN_SLACK_BITS 12
#define KSM_RUN_ASIDE	   1u /* an entry of no pages: the run is set aside */
/*
 * The block has a mark (mark.h), which is to be cleared before it is freed. Who does not look at this bit takes it for one
 * with more pages than there are, which no magazine has room for.
 */
#define KSM_RUN_MARKED	   (UINT32_C(1) << 31)

/* The entry of a block's first page; NULL if there was never a block near it. Needs no lock. */
KSM_INLINE uint32_t *ksm_runs_entry(const struct ksm_runs *runs, uint32_t page)
{
	uint32_t slots = __atomic_load_n(&runs->chunk_slots, __ATOMIC_ACQUIRE);
	struct ksm_run_chunk *const *chunks = __atomic_load_n(&runs->chunks, __ATOMIC_ACQUIRE);
	struct ksm_run_chunk *chunk;

	if (ksm_unlikely(page / KSM_CHUNK_PAGES >= slots))
		return NULL;
	chunk = __atomic_load_n(&chunks[page / KSM_CHUNK_PAGES], __ATOMIC_ACQUIRE);
	return ksm_likely(chunk) ? &chunk->blocks[page % KSM_CHUNK_PAGES] : NULL;
}

/* The owner of the block at page, in a slot of many owners. Needs no lock. */
KSM_INLINE uint16_t ksm_runs_owner(const struct ksm_runs *runs, uint32_t page)
{
	struct ksm_run_chunk *const *chunks = __atomic_load_n(&runs->chunks, __ATOMIC_ACQUIRE);

	return chunks[page / KSM_CHUNK_PAGES]->owners[page % KSM_CHUNK_PAGES];
}

/* The pages that so many bytes take. */
KSM_INLINE uint64_t ksm_run_pages_for(uint64_t bytes)
{
	return (bytes + KSM_PAGE - 1) >> KSM_PAGE_SHIFT;
}

/* What an entry says of a block. */
KSM_INLINE uint32_t ksm_run_pages(uint32_t entry)
{
	return entry >> KSM_RUN_SLACK_BITS;
}

KSM_INLINE uint64_t ksm_run_bytes(uint32_t entry)
{
	return ((uint64_t)(entry >> KSM_RUN_SLACK_BITS) << KSM_RUN_SLACK_BITS) -
	       (entry & ((1u << KSM_RUN_SLACK_BITS) - 1));
}

/* The entry of a block of bytes bytes on pages pages. */
KSM_INLINE uint32_t ksm_run_entry_of(uint32_t pages, uint64_t bytes)
{
	uint64_t slack = ((uint64_t)pages << KSM_RUN_SLACK_BITS) - bytes;

	/* A block may have been asked to be smaller than its pages by a page or more. */
	slack = ksm_min(slack, (1u << KSM_RUN_SLACK_BITS) - 1);
	return pages << KSM_RUN_SLACK_BITS | (uint32_t)slack;
}

/* The same of a block whose last byte lies in the last one of its pages. */
KSM_INLINE uint32_t ksm_run_entry_of_exact(uint32_t pages, uint64_t bytes)
{
	return (pages << (KSM_RUN_SLACK_BITS + 1)) - (uint32_t)bytes;
}

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

/* How many pages from page on, without a gap, are kept; most is enough. */
uint32_t ksm_runs_kept_from(const struct ksm_runs *runs, uint32_t page, uint32_t most);

/* Sets free pages aside: they count as used and belong to no block. */
void ksm_runs_set_aside(struct ksm_runs *runs, uint32_t page, uint32_t pages);

/* Frees the block at page; its pages become kept. */
void ksm_runs_release(struct ksm_runs *runs, uint32_t page);

/* The same for a run of so many pages that was set aside. */
void ksm_runs_release_aside(struct ksm_runs *runs, uint32_t page, uint32_t pages);

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
