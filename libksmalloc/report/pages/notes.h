/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notes: what became of single pages of a comparison.
 *
 * What it is: for each page of the first process, where it is, in which row, and its class; for those that divide rows
 * by something that the comparison does not know.
 *
 * What it is not: all pages. Of rows of which only some pages were looked into it has those; and no more than a bound, from
 * which on every second one is dropped.
 *
 * Locking and owner: one thread; notes belong to who made them, and a comparison points to them while it is made.
 *
 * Failure: without memory a page is not noted.
 */
#ifndef KSR_PAGES_NOTES_H
#define KSR_PAGES_NOTES_H

#include "pages/words.h"

#define KSR_NOTES_MOST 262144

struct ksr_note {
	uint64_t address;
	uint32_t row;
	enum ksr_page_class class;
};

struct ksr_notes {
	struct ksr_note *list; /* in no order */
	size_t count;
	size_t room;
	uint64_t every; /* 0, 1: all pages are noted; n: one of n */
	uint64_t seen;
};

/* notes may be NULL. */
void ksr_notes_add(struct ksr_notes *notes, uint32_t row, uint64_t address, enum ksr_page_class class);
void ksr_notes_free(struct ksr_notes *notes);

#endif
