/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * block: what lies at an address in a slot.
 *
 * What it is: from a pointer to the block that starts there, and the one line that ends a program
 * which takes something else for a block; and the note that a program changes rights or flags.
 * What it is not: a change of the block.
 *
 * Locking: none. A block is its owner's, and nobody else changes what is asked for here.
 * Failure: misuse ends the program.
 */
#ifndef KSM_BLOCK_H
#define KSM_BLOCK_H

#include "base.h"
#include "site/site.h"
#include "slot/slot.h"

struct ksm_block {
	struct ksm_slot *slot;
	uint32_t *entry;	/* see run.h */
	uint32_t value;		/* of the entry; no pages: there is no block */
	uint32_t page;
	uint32_t pages;
	uint64_t bytes;
	uint32_t site;		/* that it is counted for */
	bool is_marked;		/* its entry has KSM_RUN_MARKED, value has not */
};

/* The slot of an address that ksm_span_holds() and that begins a page; another one ends the program. */
struct ksm_slot *ksm_block_slot(const void *address);

/* Finds the block that starts at the address; if there is none it ends the program. */
void ksm_block_find(struct ksm_slot *slot, const void *address, struct ksm_block *block);

/* What others want to know of a block. */
struct ksm_block_facts {
	struct ksm_site *site;	/* that it is counted for */
	size_t usable;		/* bytes up to the end of its last page */
	bool is_private;
};

/* Describes the block at an address that ksm_span_holds(); what that is no block ends the program. */
void ksm_block_describe(const void *address, struct ksm_block_facts *facts);

/* The same for any pointer into a slot: -EINVAL if no block starts there. */
int ksm_block_ask(const void *address, struct ksm_block_facts *facts);

/*
 * The program changes rights or flags of a range of memory, some of which may be blocks. Takes no lock and
 * may be called from signal handlers.
 */
void ksm_block_note_altered(const void *address, size_t length);

/* True if huge pages at this address would keep a slot from merging, and the user wants none. */
bool ksm_block_wants_small_pages(const void *address);

#endif
