/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Causes of a row are few, so they lie in a list. A page counts once for each
 * cause that it has words of; it counts as alone where there is one only, which
 * is what would merge if that cause were gone.
 */
#define _GNU_SOURCE
#include "pages/sum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "read/grow.h"

/* How far from a word the pointer may stand that tells what the word belongs to. */
#define TYPE_REACH 64
/* Words of a page whose neighbours are looked at. */
#define TYPED_MOST 8

static struct ksr_diff_cause *get_cause(struct ksr_diff *diff, struct ksr_diff_row *row,
					enum ksr_cause cause, uint32_t target)
{
	struct ksr_diff_cause *entry;

	for (size_t i = 0; i < row->cause_count; i++) {
		if (row->causes[i].cause == cause && row->causes[i].target == target)
			return &row->causes[i];
	}
	entry = reallocarray(row->causes, row->cause_count + 1, sizeof(*entry));
	if (!entry)
		return NULL;
	row->causes = entry;
	entry = &row->causes[row->cause_count];
	*entry = (struct ksr_diff_cause){.cause = cause,
					 .target = target,
					 .row = (uint32_t)(row - diff->rows),
					 .page = UINT64_MAX};
	entry->positions = calloc(diff->spaces[0]->page_bytes / 8, sizeof(*entry->positions));
	if (!entry->positions)
		return NULL;
	row->cause_count++;
	return entry;
}

static void add_delta(struct ksr_diff_cause *entry, int64_t delta)
{
	for (uint32_t i = 0; i < entry->delta_count && i < KSR_FEW_DELTAS; i++) {
		if (entry->deltas[i] == delta)
			return;
	}
	if (entry->delta_count < KSR_FEW_DELTAS)
		entry->deltas[entry->delta_count] = delta;
	if (entry->delta_count <= KSR_FEW_DELTAS)
		entry->delta_count++;
}

/* The most frequent of a stream in constant room: the rarest makes place for what is new. */
static void add_frequent(struct ksr_diff_type list[KSR_DIFF_TYPES], uint64_t value)
{
	struct ksr_diff_type *least = &list[0];

	for (size_t i = 0; i < KSR_DIFF_TYPES; i++) {
		if (list[i].count && list[i].address == value) {
			list[i].count++;
			return;
		}
		if (list[i].count < least->count)
			least = &list[i];
	}
	if (least->count > 1)
		least->count--;
	else
		*least = (struct ksr_diff_type){value, 1};
}

static void add_type(struct ksr_diff_cause *entry, uint64_t address)
{
	entry->typed++;
	add_frequent(entry->types, address);
}

/* Does this word of the page point to data of a file, as the type of an object does? */
static bool is_type(const struct ksr_space *space, const unsigned char *page, size_t offset,
		    uint64_t *address)
{
	const struct ksr_range *range;
	uint64_t value;

	memcpy(&value, page + offset, sizeof(value));
	if (value < 4096 || value >> 56)
		return false;
	range = ksr_space_find(space, value);
	*address = value;
	return range && space->regions[range->region].kind == KSR_REGION_FILE;
}

/* The word behind first: a reference count stands before the type; then those before. */
uint64_t ksr_diff_find_type(const struct ksr_space *space, const unsigned char *page, size_t offset)
{
	uint64_t address;

	if (offset + 16 <= space->page_bytes && is_type(space, page, offset + 8, &address))
		return address;
	for (size_t back = 8; back <= TYPE_REACH && back <= offset; back += 8) {
		if (is_type(space, page, offset - back, &address))
			return address;
	}
	return 0;
}

static void find_type(const struct ksr_diff *diff, const unsigned char *page,
		      const struct ksr_word *word, struct ksr_diff_cause *entry)
{
	uint64_t address = ksr_diff_find_type(diff->spaces[0], page, word->offset);

	if (address)
		add_type(entry, address);
}

static int add_named(struct ksr_diff_row *row, uint64_t address, const struct ksr_word *word)
{
	size_t count = row->named_count;
	struct ksr_diff_named *larger;

	if (row->kind != KSR_REGION_FILE || count >= KSR_DIFF_NAMED_MOST)
		return 0;
	larger = ksr_grow_by_count(row->named, count, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	row->named = larger;
	row->named[row->named_count++] =
		(struct ksr_diff_named){address + word->offset, word->cause, word->target};
	return 0;
}

static void take_example(struct ksr_diff_cause *entry, uint64_t address, bool alone)
{
	if (entry->example && (entry->example_alone || !alone))
		return;
	entry->example = address;
	entry->example_alone = alone;
}

static bool is_alone(const struct ksr_page_diff *result)
{
	for (size_t i = 1; i < result->count; i++) {
		if (result->words[i].cause != result->words[0].cause ||
		    result->words[i].target != result->words[0].target)
			return false;
	}
	return true;
}

static int add_words(struct ksr_diff *diff, struct ksr_diff_row *row, uint64_t address,
		     const unsigned char *page, const struct ksr_page_diff *result)
{
	bool alone = is_alone(result);

	for (size_t i = 0; i < result->count; i++) {
		const struct ksr_word *word = &result->words[i];
		struct ksr_diff_cause *entry = get_cause(diff, row, word->cause, word->target);

		if (!entry)
			return -ENOMEM;
		if (entry->page != address) {
			entry->page = address;
			entry->pages++;
			entry->alone += alone;
			take_example(entry, address + word->offset, alone);
		}
		entry->words++;
		entry->positions[word->offset / 8]++;
		if (word->cause == KSR_CAUSE_VALUE || word->cause == KSR_CAUSE_NOISE)
			add_frequent(entry->values, word->mark);
		if (word->target != KSR_REGION_NONE)
			add_delta(entry, word->delta);
		if (row->kind != KSR_REGION_FILE && i < TYPED_MOST)
			find_type(diff, page, word, entry);
	}
	return 0;
}

uint64_t ksr_diff_scaled(uint64_t value, const struct ksr_diff_row *row)
{
	if (row->looked == 0 || row->looked >= row->differing)
		return value;
	return (uint64_t)((unsigned __int128)value * row->differing / row->looked);
}

static void scale_row(struct ksr_diff_row *row)
{
	uint64_t *const parts[] = {&row->counts.pointers, &row->counts.words, &row->counts.shifted,
				   &row->counts.other};
	uint64_t known = 0;
	uint64_t sum = 0;
	size_t largest = 0;

	for (size_t i = 0; i < KSM_COUNT_OF(parts); i++) {
		known += *parts[i];
		*parts[i] = ksr_diff_scaled(*parts[i], row);
		sum += *parts[i];
		if (*parts[i] > *parts[largest])
			largest = i;
	}
	row->counts.moved = ksr_diff_scaled(row->counts.moved, row);
	row->counts.masked = ksr_diff_scaled(row->counts.masked, row);
	/* Pages that had become equal were counted as such, and stay few; the rest is rounding. */
	*parts[largest] += row->differing - (row->looked - known) - sum;
	for (size_t i = 0; i < row->cause_count; i++) {
		row->causes[i].pages = ksr_diff_scaled(row->causes[i].pages, row);
		row->causes[i].alone = ksr_diff_scaled(row->causes[i].alone, row);
		row->causes[i].words = ksr_diff_scaled(row->causes[i].words, row);
		row->causes[i].pointers = ksr_diff_scaled(row->causes[i].pointers, row);
	}
}

void ksr_diff_scale(struct ksr_diff *diff)
{
	for (size_t i = 0; i < diff->row_count; i++) {
		if (diff->rows[i].looked && diff->rows[i].looked < diff->rows[i].differing)
			scale_row(&diff->rows[i]);
	}
}

static void add_class(struct ksr_diff_counts *counts, enum ksr_page_class class)
{
	counts->equal += class == KSR_PAGE_EQUAL;
	counts->pointers += class == KSR_PAGE_POINTERS;
	counts->words += class == KSR_PAGE_WORDS;
	counts->shifted += class == KSR_PAGE_SHIFTED;
	counts->other += class == KSR_PAGE_OTHER;
}

int ksr_diff_add(struct ksr_diff *diff, struct ksr_diff_row *row, uint64_t address,
		 const unsigned char *page, const struct ksr_page_diff *result)
{
	struct ksr_diff_cause *entry;

	add_class(&row->counts, result->class);
	if (result->class == KSR_PAGE_EQUAL)
		return 0;
	/* Data of files has names, whatever became of the page as a whole. */
	for (size_t i = 0; i < result->count; i++) {
		if (add_named(row, address, &result->words[i]))
			return -ENOMEM;
	}
	if (!result->whole)
		return add_words(diff, row, address, page, result);
	entry = get_cause(diff, row, result->cause, KSR_REGION_NONE);
	if (!entry)
		return -ENOMEM;
	entry->pages++;
	entry->alone++;
	entry->words += result->differing;
	entry->pointers += result->pointers;
	take_example(entry, address, true);
	if (result->cause == KSR_CAUSE_SHIFTED)
		add_delta(entry, result->shift);
	/* Of different pages the words may still tell what they belong to. */
	for (size_t i = 0; result->cause == KSR_CAUSE_OTHER && i < result->count && i < TYPED_MOST;
	     i++)
		find_type(diff, page, &result->words[i], entry);
	return 0;
}
