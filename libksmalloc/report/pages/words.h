/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * words: why two pages that should be equal are not.
 *
 * What it is: compares two pages word by word and says what the words that
 * differ are: addresses, ids, times, random bytes that are known, counters; or
 * that the content of one lies elsewhere in the other.
 *
 * What it is not: a reader of memory, and it never keeps or shows content. What
 * it says of a word is its place, its kind, and for addresses where they point.
 *
 * A page gets one class, and each of its words one cause. The class is
 *   pointers  the words that differ are addresses, or at least half of them, and
 *             all others but at most `few` are explained;
 *   words     at most `few` words differ, or all others are explained, such as
 *             the reference counts of a page full of objects;
 *   shifted   most of its lines of 64 bytes lie at a constant distance in the other
 *             process;
 *   other     none of these.
 *
 * Invariants: a word's cause depends on that word alone, but for the second half of a time (a number of nano- or
 * microseconds), for ids as text, and for small numbers whose neighbours tell what they count: a reference count stands
 * before the type of its object, and a lock before the thread that holds it.
 *
 * Locking and owner: pure but for the pairs' cache of ranges; one thread.
 *
 * Failure: none.
 */
#ifndef KSR_PAGES_WORDS_H
#define KSR_PAGES_WORDS_H

#include "pages/pair.h"
#include "pages/shift.h"
#include "pages/value.h"

enum ksr_page_class {
	KSR_PAGE_EQUAL,
	KSR_PAGE_POINTERS,
	KSR_PAGE_WORDS,
	KSR_PAGE_SHIFTED,
	KSR_PAGE_OTHER,
};

/* More distances than this within one page are no constant offset any more. */
#define KSR_FEW_DELTAS 4

struct ksr_page_diff {
	enum ksr_page_class class;
	size_t differing;	/* words */
	size_t pointers;	/* of these, as far as they are addresses in both processes */
	size_t count;		/* words in the list: all of them */
	bool whole;		/* the page has one cause, below; its words are not told apart */
	struct ksr_word *words; /* room for one page */
	enum ksr_cause cause;	/* with `whole` */
	int64_t shift;		/* shifted: bytes that the content lies higher in the second */
};

/*
 * Compares a page of the first process with its counterpart in the window. diff->shift is, on
 * entry, a distance to try first, 0 for none.
 */
void ksr_words_compare(struct ksr_pair *pair, const unsigned char *page,
		       const struct ksr_window *window, enum ksr_search search,
		       struct ksr_page_diff *diff);

#endif
