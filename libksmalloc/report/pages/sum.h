/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sum: what was found of one page is added to its row.
 *
 * What it is: pages, words and examples by cause; and figures of rows that were only looked into in part, scaled.
 * What it is not: a comparison (words.h).
 * Locking and owner: one thread; the rows own what is added.
 * Failure: -ENOMEM.
 */
#ifndef KSR_PAGES_SUM_H
#define KSR_PAGES_SUM_H

#include "pages/rows.h"

/* Scales the figures of rows of which only some pages were looked into. */
void ksr_diff_scale(struct ksr_diff *diff);
/* The same for one figure of a row. */
uint64_t ksr_diff_scaled(uint64_t value, const struct ksr_diff_row *row);
/*
 * The data of a file that a word of the page points to, that at this offset or one
 * shortly before it: the type of an object, in languages whose objects begin with one. 0: none.
 */
uint64_t ksr_diff_find_type(const struct ksr_space *space, const unsigned char *page,
			    size_t offset);
/* Adds a page that was looked into to its row. page is its content in the first. */
int ksr_diff_add(struct ksr_diff *diff, struct ksr_diff_row *row, uint64_t address,
		 const unsigned char *page, const struct ksr_page_diff *result);

#endif
