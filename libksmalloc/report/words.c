/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All words that differ are looked at in one pass; a page that is neither full
 * of pointers nor differs in a few words is then searched for its content
 * elsewhere, which costs more. Pointers without a constant distance are kept
 * back for that search too: a page of pointers that was moved as a whole has
 * another pointer in each word.
 */
#define _GNU_SOURCE
#include "words.h"

#include <string.h>

static const char *const keys[] = {
#define KEY(name, key, text) key,
	KSR_CAUSES(KEY)
#undef KEY
};

static const char *const texts[] = {
#define TEXT(name, key, text) text,
	KSR_CAUSES(TEXT)
#undef TEXT
};

const char *ksr_cause_key(enum ksr_cause cause)
{
	return cause < KSR_CAUSE_COUNT ? keys[cause] : "?";
}

const char *ksr_cause_text(enum ksr_cause cause)
{
	return cause < KSR_CAUSE_COUNT ? texts[cause] : "?";
}

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

/* The part of a second stands beside its seconds, and says nothing alone. */
static void join_times(const unsigned char *a, const unsigned char *b, struct ksr_page_diff *diff)
{
	for (size_t i = 1; i < diff->count; i++) {
		struct ksr_word *word = &diff->words[i];
		const struct ksr_word *before = word - 1;

		if (before->cause == KSR_CAUSE_TIME && before->offset + 8 == word->offset &&
		    !is_pointer(word->cause) && word_at(a, word->offset) < 1000000000 &&
		    word_at(b, word->offset) < 1000000000)
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

static size_t count_pointers(const struct ksr_page_diff *diff)
{
	size_t pointers = 0;

	for (size_t i = 0; i < diff->count; i++)
		pointers += is_pointer(diff->words[i].cause) ||
			    diff->words[i].cause == KSR_CAUSE_MANGLED;
	return pointers;
}

static void one_cause(struct ksr_page_diff *diff, enum ksr_page_class class, enum ksr_cause cause)
{
	diff->class = class;
	diff->cause = cause;
	diff->count = 0;
}

void ksr_words_compare(struct ksr_pair *pair, const unsigned char *page, uint64_t address,
		       const struct ksr_window *window, enum ksr_search search,
		       struct ksr_page_diff *diff)
{
	size_t page_bytes = pair->spaces[0]->page_bytes;
	const unsigned char *other = window->begin;
	int64_t likely = diff->shift;
	bool constant;
	size_t pointers;

	(void)address;
	diff->shift = 0;
	diff->class = KSR_PAGE_EQUAL;
	diff->pointers = 0;
	list_words(pair, page, other, page_bytes, diff);
	if (diff->differing == 0)
		return;
	if (is_zero(page, page_bytes) || is_zero(other, page_bytes)) {
		one_cause(diff, KSR_PAGE_OTHER, KSR_CAUSE_ZERO_PAGE);
		return;
	}
	join_times(page, other, diff);
	find_texts(pair, page, other, page_bytes, diff);
	constant = settle_pointers(diff);
	pointers = count_pointers(diff);
	diff->pointers = pointers;
	if (pointers == diff->count && constant)
		diff->class = KSR_PAGE_POINTERS;
	else if (diff->count <= pair->few)
		diff->class = KSR_PAGE_WORDS;
	else if (constant && diff->count - pointers <= pair->few && pointers > pair->few)
		diff->class = KSR_PAGE_POINTERS;
	if (diff->class != KSR_PAGE_EQUAL)
		return;
	diff->shift = ksr_shift_find(page, page_bytes, window, search, likely);
	if (diff->shift)
		one_cause(diff, KSR_PAGE_SHIFTED, KSR_CAUSE_SHIFTED);
	else if (diff->count - pointers <= pair->few)
		diff->class = KSR_PAGE_POINTERS;
	else
		one_cause(diff, KSR_PAGE_OTHER, KSR_CAUSE_OTHER);
}
