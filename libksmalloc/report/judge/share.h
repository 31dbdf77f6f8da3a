/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share: whose pages of a row are of a class.
 *
 * What it is: the notes of a comparison, divided by the marks of its first process.
 * What it is not: a judgement.
 * Invariants: the shares of one question add up to all of its pages. Origin 0 has what nobody is known for.
 * Locking and owner: one thread; it owns its lists, and copies what it needs of the marks.
 * Failure: -ENOMEM.
 */
#ifndef KSR_JUDGE_SHARE_H
#define KSR_JUDGE_SHARE_H

#include "join/marks.h"
#include "pages/notes.h"

struct ksr_share {
	uint32_t origin;
	uint64_t pages;
};

struct ksr_shares;

/* Notes are of pages of so many bytes. */
int ksr_shares_create(const struct ksr_marks *marks, const struct ksr_notes *notes, uint64_t page_bytes,
		      struct ksr_shares **shares);
void ksr_shares_destroy(struct ksr_shares *shares);
/*
 * Who has pages of this class in the row; any is true: of all classes. Fills *list, which lives until the next question,
 * and returns how many there are.
 */
size_t ksr_shares_of(struct ksr_shares *shares, uint32_t row, enum ksr_page_class class, bool any,
		     const struct ksr_share **list);

#endif
