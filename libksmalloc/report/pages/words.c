/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All words that differ are looked at in one pass; a page that is neither full
 * of pointers nor differs in a few words is then searched for its content
 * elsewhere, which costs more. Pointers without a constant distance are kept
 * back for that search too: a page of pointers that was moved as a whole has
 * another pointer in each word.
 */
#define _GNU_SOURCE
#include "pages/words.h"

#include <string.h>

static uint64_t word_at(const unsigned char *page, size_t offset)
{
	uint64_t word;

	memcpy(&word, page + offset, sizeof(word));
	return word;
}

static bool is_zero(const unsigned char *page, size_t bytes)
{
	return page[0] == 0 && memcmp(page, page + 1, bytes - 1) == 0;
}

static bool is_pointer(enum ksr_cause cause)
{
	return cause <= KSR_CAUSE_POINTER_OTHER;
}

/* Lists the words that differ. */
static void list_words(struct ksr_pair *pair, const unsigned char *a, const unsigned char *b,
		       size_t page_bytes, struct ksr_page_diff *diff)
{
	diff->count = 0;
	for (size_t offset = 0; offset < page_bytes; offset += sizeof(uint64_t)) {
		uint64_t x = word_at(a, offset);
		uint64_t y = word_at(b, offset);

		if (x == y)
			continue;
		diff->words[diff->count] = ksr_word_classify(pair, x, y);
		diff->words[diff->count++].offset = (uint32_t)offset;
	}
	diff->differing = diff->count;
}

/*
 * The part of a second stands behind its seconds, and says nothing alone. The
 * seconds of processes that were started together may be equal.
 */
static void join_times(const struct ksr_pair *pair, const unsigned char *a, const unsigned char *b,
		       struct ksr_page_diff *diff)
{
	for (size_t i = 0; i < diff->count; i++) {
		struct ksr_word *word = &diff->words[i];
		uint32_t offset = word->offset;

		if (word->cause >= KSR_CAUSE_COUNTER && offset >= 8 &&
		    word_at(a, offset) < 1000000000 && word_at(b, offset) < 1000000000 &&
		    ksr_are_seconds(pair, word_at(a, offset - 8), word_at(b, offset - 8)))
			word->cause = KSR_CAUSE_TIME;
	}
}

static size_t first_difference(const unsigned char *a, const unsigned char *b, size_t from)
{
	while (a[from] == b[from])
		from++;
	return from;
}

/* Words that are covered by an id as text: a text may begin in one word and end in the next. */
static void find_texts(const struct ksr_pair *pair, const unsigned char *a, const unsigned char *b,
		       size_t page_bytes, struct ksr_page_diff *diff)
{
	for (size_t i = 0; i < diff->count; i++) {
		struct ksr_word *word = &diff->words[i];
		size_t at;
		size_t begin;
		size_t bytes;

		if (word->cause < KSR_CAUSE_COUNTER)
			continue;
		at = first_difference(a, b, word->offset);
		bytes = ksr_id_text(pair, a, b, page_bytes, at, &begin);
		for (; bytes && i < diff->count && diff->words[i].offset < begin + bytes; i++)
			diff->words[i].cause = KSR_CAUSE_ID_TEXT;
		i -= bytes != 0;
	}
}

/* --- small numbers, by their neighbours ------------------------------------------------- */

/*
 * An object of an interpreter begins with how many references there are, and the address of its type. Only types of programs
 * and libraries are known to be such; those that a script has made are memory like any other.
 */
static bool is_reference_count(struct ksr_pair *pair, const unsigned char *a, const unsigned char *b, size_t page_bytes,
			       uint32_t offset)
{
	uint64_t x = word_at(a, offset);
	uint64_t y = word_at(b, offset);
	uint64_t first;
	uint64_t second;

	if (offset + 16 > page_bytes || x == 0 || y == 0 || x > UINT32_MAX || y > UINT32_MAX)
		return false;
	first = word_at(a, offset + 8);
	second = word_at(b, offset + 8);
	return ksr_is_data_of_file(pair, 0, first) && ksr_is_data_of_file(pair, 1, second) &&
	       (first == second || ksr_word_classify(pair, first, second).cause == KSR_CAUSE_POINTER_LAYOUT);
}

/* A mutex of the C library that this process holds, and the other one does not: its state, then the thread. */
static bool is_held(const struct ksr_pair *pair, int which, const unsigned char *mine, const unsigned char *other,
		    uint32_t offset)
{
	uint64_t state = word_at(mine, offset);
	uint64_t holder = word_at(mine, offset + 8);

	return ((uint32_t)state == 1 || (uint32_t)state == 2) && state >> 32 <= UINT16_MAX && holder >> 32 <= 1 &&
	       ksr_is_own_id(pair, which, (uint32_t)holder) && word_at(other, offset) == 0 && word_at(other, offset + 8) == 0;
}

static void tell_small_numbers(struct ksr_pair *pair, const unsigned char *a, const unsigned char *b, size_t page_bytes,
			       struct ksr_page_diff *diff)
{
	for (size_t i = 0; i < diff->count; i++) {
		struct ksr_word *word = &diff->words[i];

		if (word->cause != KSR_CAUSE_COUNTER)
			continue;
		if (is_reference_count(pair, a, b, page_bytes, word->offset)) {
			word->cause = KSR_CAUSE_REFERENCES;
		} else if (i + 1 < diff->count && word[1].offset == word->offset + 8 &&
			   (is_held(pair, 0, a, b, word->offset) || is_held(pair, 1, b, a, word->offset))) {
			word->cause = KSR_CAUSE_LOCK;
			word[1].cause = KSR_CAUSE_LOCK;
		}
	}
}

/* Where pointers of one page into one region have many distances, none is constant. */
static bool settle_pointers(struct ksr_page_diff *diff)
{
	bool constant = true;

	for (size_t i = 0; i < diff->count; i++) {
		int64_t deltas[KSR_FEW_DELTAS];
		size_t known = 0;
		uint32_t target = diff->words[i].target;

		if (diff->words[i].cause != KSR_CAUSE_POINTER_SHIFTED)
			continue;
		for (size_t k = i; k < diff->count && known <= KSR_FEW_DELTAS; k++) {
			const struct ksr_word *word = &diff->words[k];
			size_t n = 0;

			if (word->cause != KSR_CAUSE_POINTER_SHIFTED || word->target != target)
				continue;
			while (n < known && deltas[n] != word->delta)
				n++;
			if (n == known && known++ < KSR_FEW_DELTAS)
				deltas[n] = word->delta;
		}
		if (known <= KSR_FEW_DELTAS)
			continue;
		constant = false;
		for (size_t k = i; k < diff->count; k++) {
			if (diff->words[k].target == target &&
			    diff->words[k].cause == KSR_CAUSE_POINTER_SHIFTED)
				diff->words[k].cause = KSR_CAUSE_POINTER_MOVED;
		}
	}
	return constant;
}

static void count_words(struct ksr_page_diff *diff, size_t *unexplained)
{
	*unexplained = 0;
	diff->pointers = 0;
	for (size_t i = 0; i < diff->count; i++) {
		diff->pointers += is_pointer(diff->words[i].cause);
		*unexplained += diff->words[i].cause >= KSR_CAUSE_SET;
	}
}

static void one_cause(struct ksr_page_diff *diff, enum ksr_page_class class, enum ksr_cause cause)
{
	diff->class = class;
	diff->cause = cause;
	diff->whole = true;
}

/* By its words alone; KSR_PAGE_OTHER where its content may have moved as well. */
static enum ksr_page_class class_of(const struct ksr_page_diff *diff, uint64_t few, bool constant,
				    size_t unexplained)
{
	if (constant && diff->pointers == diff->count)
		return KSR_PAGE_POINTERS;
	if (diff->count <= few)
		return KSR_PAGE_WORDS;
	if (constant && unexplained <= few && 2 * diff->pointers >= diff->count)
		return KSR_PAGE_POINTERS;
	return KSR_PAGE_OTHER;
}

void ksr_words_compare(struct ksr_pair *pair, const unsigned char *page,
		       const struct ksr_window *window, enum ksr_search search,
		       struct ksr_page_diff *diff)
{
	size_t page_bytes = pair->spaces[0]->page_bytes;
	const unsigned char *other = window->begin;
	int64_t likely = diff->shift;
	size_t unexplained;
	bool constant;

	diff->shift = 0;
	diff->whole = false;
	diff->pointers = 0;
	diff->class = KSR_PAGE_EQUAL;
	list_words(pair, page, other, page_bytes, diff);
	if (diff->differing == 0)
		return;
	if (is_zero(page, page_bytes) || is_zero(other, page_bytes)) {
		one_cause(diff, KSR_PAGE_OTHER, KSR_CAUSE_ZERO_PAGE);
		return;
	}
	join_times(pair, page, other, diff);
	find_texts(pair, page, other, page_bytes, diff);
	tell_small_numbers(pair, page, other, page_bytes, diff);
	constant = settle_pointers(diff);
	count_words(diff, &unexplained);
	diff->class = class_of(diff, pair->few, constant, unexplained);
	if (diff->class != KSR_PAGE_OTHER)
		return;
	diff->shift = ksr_shift_find(page, page_bytes, window, search, likely);
	if (diff->shift)
		one_cause(diff, KSR_PAGE_SHIFTED, KSR_CAUSE_SHIFTED);
	else if (unexplained > pair->few)
		one_cause(diff, KSR_PAGE_OTHER, KSR_CAUSE_OTHER);
	else
		diff->class =
			2 * diff->pointers >= diff->count ? KSR_PAGE_POINTERS : KSR_PAGE_WORDS;
}
