/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mask: a page without its addresses.
 *
 * What it is: words that are addresses of the process become the kind of memory that they point into. So pages that
 * differ in addresses only become equal, wherever things lie.
 *
 * What it is not: a promise. Pages of nothing but addresses are alike, too, though what they point to may be in another
 * order; and a number that happens to be an address is taken for one.
 *
 * Locking and owner: one thread. The mask owns what it points to; pages are the caller's.
 *
 * Failure: -ENOMEM.
 */
#ifndef KSR_ESTIMATE_MASK_H
#define KSR_ESTIMATE_MASK_H

#include "read/smaps.h"

struct ksr_mask_range {
	uint64_t begin;
	uint64_t end;
	uint64_t word; /* that stands for its addresses */
};

struct ksr_mask {
	struct ksr_mask_range *list; /* by address */
	size_t count;
	size_t recent;
};

int ksr_mask_create(const struct ksr_smaps *smaps, struct ksr_mask *mask);
void ksr_mask_destroy(struct ksr_mask *mask);
/* Copies a page of whole words without its addresses. */
void ksr_mask_page(struct ksr_mask *mask, const unsigned char *page, size_t bytes, unsigned char *result);

#endif
