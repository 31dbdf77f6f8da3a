/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * value: the cause of one word that differs.
 *
 * What it is: what two values at one place are: addresses, ids, times, random bytes that are known, counters.
 *
 * What it is not: a look at the page around it, but for ids that stand as text.
 *
 * Invariants: a word's cause depends on that word alone. What its neighbours say, of a part of a second, a reference count
 * or a lock, words.h adds.
 *
 * Locking and owner: pure but for the pair's cache of ranges; one thread.
 *
 * Failure: none.
 */
#ifndef KSR_PAGES_VALUE_H
#define KSR_PAGES_VALUE_H

#include "pages/cause.h"
#include "pages/pair.h"

struct ksr_word {
	uint32_t offset; /* in the page, bytes */
	enum ksr_cause cause;
	uint32_t target; /* pointers: region of the first process, else KSR_REGION_NONE */
	int64_t delta;	 /* pointers: second less first, without the layouts' difference */
	uint64_t mark;	 /* random words and other values: a hash of the pair, equal for equal pairs */
};

/* The cause of one aligned word. */
struct ksr_word ksr_word_classify(struct ksr_pair *pair, uint64_t a, uint64_t b);
/* Is this an address in the data of a program or library, as that of the type of an object is? */
bool ksr_is_data_of_file(struct ksr_pair *pair, int which, uint64_t value);
/* Is this the number of a process or thread that the process has to do with? */
bool ksr_is_own_id(const struct ksr_pair *pair, int which, uint64_t value);
/* Are both seconds since 1970 within the lives of their processes? */
bool ksr_are_seconds(const struct ksr_pair *pair, uint64_t a, uint64_t b);
/*
 * Does an id stand as text around this byte of both pages? Its bytes, or 0. The byte
 * is one of them, so that who goes on behind them has gone on.
 */
size_t ksr_id_text(const struct ksr_pair *pair, const unsigned char *a, const unsigned char *b,
		   size_t page_bytes, size_t at, size_t *begin);

#endif
