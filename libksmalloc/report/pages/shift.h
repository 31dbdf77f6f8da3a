/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shift: how far the content of a page has moved in the other process.
 *
 * What it is: a search for the page's lines of 64 bytes in the neighbourhood of its counterpart.
 * What it is not: a search in all memory.
 * Locking and owner: pure.
 * Failure: there is no distance that most lines have in common.
 */
#ifndef KSR_PAGES_SHIFT_H
#define KSR_PAGES_SHIFT_H

#include "base.h"

/*
 * Where the neighbourhood of a page of the second process is: bytes at begin - before up to
 * begin + page + after, with begin where the page itself begins.
 */
struct ksr_window {
	const unsigned char *begin;
	size_t before;
	size_t after;
};

/* What to spend on content that may have moved. */
enum ksr_search {
	KSR_SEARCH_NOT,	  /* only at the distance that was right before */
	KSR_SEARCH_WORDS, /* multiples of 8 bytes */
	KSR_SEARCH_ALL,	  /* any distance */
};

/*
 * The distance at which most of the page's lines lie in the window, 0 if there is
 * none. likely is tried first.
 */
int64_t ksr_shift_find(const unsigned char *page, size_t page_bytes,
		       const struct ksr_window *window, enum ksr_search search, int64_t likely);

#endif
