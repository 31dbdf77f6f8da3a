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
 * Invariants: a word's cause depends on that word alone, but for the second half
 * of a time (a number of nano- or microseconds) and for ids as text.
 *
 * Locking and owner: pure but for the pairs' cache of ranges; one thread.
 *
 * Failure: none.
 */
#ifndef KSR_PAGES_WORDS_H
#define KSR_PAGES_WORDS_H

#include "read/space.h"

/* X(name, key, text): what a word is, the most telling first. */
#define KSR_CAUSES(X)                                                                              \
	X(POINTER_LAYOUT, "layout", "pointers that differ by the layouts of the processes only")   \
	X(POINTER_SHIFTED, "pointer_offset", "pointers by a constant offset")                      \
	X(POINTER_MOVED, "pointer_moved", "pointers to other places")                              \
	X(POINTER_OTHER, "pointer_other", "pointers to something else")                            \
	X(MANGLED, "pointer_guard", "pointers mangled by the pointer guard (AT_RANDOM)")           \
	X(RANDOM, "at_random", "canary or other random bytes of AT_RANDOM")                        \
	X(ID, "id", "process or thread id")                                                        \
	X(ID_TEXT, "id_text", "process or thread id as text")                                      \
	X(TIME, "time", "time")                                                                    \
	X(COUNTER, "counter", "small difference: counter, lock, reference count")                  \
	X(SET, "set_in_one", "set in one process, zero in the other")                              \
	X(VALUE, "value", "other values (hashes, random numbers, data)")                           \
	X(ZERO_PAGE, "zero_page", "page that is all zero in one process")                          \
	X(SHIFTED, "shifted", "content that lies at another place")                                \
	X(OTHER, "different", "simply different content")

enum ksr_cause {
#define KSR_CAUSE_ID(name, key, text) KSR_CAUSE_##name,
	KSR_CAUSES(KSR_CAUSE_ID)
#undef KSR_CAUSE_ID
		KSR_CAUSE_COUNT,
};

enum ksr_page_class {
	KSR_PAGE_EQUAL,
	KSR_PAGE_POINTERS,
	KSR_PAGE_WORDS,
	KSR_PAGE_SHIFTED,
	KSR_PAGE_OTHER,
};

struct ksr_word {
	uint32_t offset; /* in the page, bytes */
	enum ksr_cause cause;
	uint32_t target; /* pointers: region of the first process, else KSR_REGION_NONE */
	int64_t delta;	 /* pointers: second less first, without the layouts' difference */
	uint64_t mark;	 /* other values: a hash of the pair, equal for equal pairs */
};

/* The two processes, and what of them is compared. */
struct ksr_pair {
	const struct ksr_space *spaces[2];
	const uint32_t *match; /* ksr_space_match() */
	uint64_t few;	       /* words */
	/* Two pages of the cache below are enough for most words. Synchronization: one thread. */
	const struct ksr_range *recent[2];
};

#define KSR_FEW_WORDS 16
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
 * Compares a page of the first process with its counterpart in the window. diff->shift is, on
 * entry, a distance to try first, 0 for none.
 */
void ksr_words_compare(struct ksr_pair *pair, const unsigned char *page,
		       const struct ksr_window *window, enum ksr_search search,
		       struct ksr_page_diff *diff);

const char *ksr_cause_key(enum ksr_cause cause);
const char *ksr_cause_text(enum ksr_cause cause);

/* pages/value.c: the cause of one aligned word. */
struct ksr_word ksr_word_classify(struct ksr_pair *pair, uint64_t a, uint64_t b);
/* pages/value.c: are both seconds since 1970 within the lives of their processes? */
bool ksr_are_seconds(const struct ksr_pair *pair, uint64_t a, uint64_t b);
/*
 * pages/value.c: does an id stand as text around this byte of both pages? Its bytes, or 0. The byte
 * is one of them, so that who goes on behind them has gone on.
 */
size_t ksr_id_text(const struct ksr_pair *pair, const unsigned char *a, const unsigned char *b,
		   size_t page_bytes, size_t at, size_t *begin);
/*
 * pages/shift.c: the distance at which most of the page's lines lie in the window, 0 if there is
 * none. likely is tried first.
 */
int64_t ksr_shift_find(const unsigned char *page, size_t page_bytes,
		       const struct ksr_window *window, enum ksr_search search, int64_t likely);

#endif
