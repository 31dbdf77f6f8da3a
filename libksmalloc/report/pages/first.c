/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process has is noted in the first walk, in sets of hashes; the second
 * asks them for the pieces that differ from their counterparts. Pieces that lie
 * close together belong to one object, as the text of a string and its hash.
 */
#define _GNU_SOURCE
#include "pages/first.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pages/atoms.h"
#include "pages/events.h"
#include "pages/folders.h"
#include "pages/sum.h"
#include "read/grow.h"

#define ONE_OBJECT 64
#define ENTRIES_MOST 64 /* places with names of entries, of a row */
#define DAY 86400.0
#define YEAR_2001 1e9

struct ksr_first {
	struct ksr_diff *diff;
	/* Of each process; arrays of numbers shall not fill that of the texts. */
	struct ksr_atom_set texts[2];
	struct ksr_atom_set numbers[2];
	struct ksr_atom *atoms;
	struct ksr_diff_place *found; /* of one page */
	struct ksr_folder_names names;
	double now;
};

int ksr_first_create(const struct ksr_fs *fs, struct ksr_diff *diff)
{
	struct ksr_first *first = calloc(1, sizeof(*first));
	size_t most = ksr_atoms_most(diff->spaces[0]->page_bytes);
	int error = 0;

	if (!first)
		return -ENOMEM;
	diff->first = first;
	first->diff = diff;
	first->now = (double)time(NULL);
	first->atoms = calloc(most, sizeof(*first->atoms));
	first->found = calloc(2 * most, sizeof(*first->found));
	for (int i = 0; i < 2 && !error; i++) {
		error = ksr_atom_set_init(&first->texts[i]);
		if (!error)
			error = ksr_atom_set_init(&first->numbers[i]);
	}
	if (!first->atoms || !first->found || error)
		return -ENOMEM;
	ksr_folder_names_read(fs, diff->spaces, 2, &first->names);
	return 0;
}

void ksr_first_destroy(struct ksr_diff *diff)
{
	struct ksr_first *first = diff->first;

	if (!first)
		return;
	for (int i = 0; i < 2; i++) {
		ksr_atom_set_fini(&first->texts[i]);
		ksr_atom_set_fini(&first->numbers[i]);
	}
	ksr_folder_names_free(&first->names);
	free(first->atoms);
	free(first->found);
	free(first);
	diff->first = NULL;
}

static struct ksr_atom_set *set_of(struct ksr_first *first, int which, const struct ksr_atom *atom)
{
	return atom->is_text ? &first->texts[which] : &first->numbers[which];
}

void ksr_first_note(struct ksr_first *first, int which, const unsigned char *page)
{
	size_t count =
		first ? ksr_atoms_find(page, first->diff->spaces[0]->page_bytes, first->atoms) : 0;

	for (size_t i = 0; i < count; i++)
		ksr_atom_set_add(set_of(first, which, &first->atoms[i]), first->atoms[i].hash);
}

/* --- places of one page ------------------------------------------------------------------ */

struct pages {
	struct ksr_pair *pair;
	const unsigned char *bytes[2];
	size_t page_bytes;
	uint64_t address; /* in the first process */
	bool has_moved;
};

static bool is_time(const struct ksr_first *first, const unsigned char *word)
{
	double seconds;

	memcpy(&seconds, word, sizeof(seconds));
	return seconds > YEAR_2001 && seconds < first->now + DAY;
}

static bool are_times(const struct ksr_first *first, const struct pages *pages, size_t offset)
{
	return is_time(first, pages->bytes[0] + offset) && is_time(first, pages->bytes[1] + offset);
}

static enum ksr_cause cause_of(const struct pages *pages, size_t offset)
{
	uint64_t a;
	uint64_t b;

	memcpy(&a, pages->bytes[0] + offset, sizeof(a));
	memcpy(&b, pages->bytes[1] + offset, sizeof(b));
	return ksr_word_classify(pages->pair, a, b).cause;
}

/* Does what is known of the two processes say why the number differs? */
static bool is_known_number(const struct ksr_first *first, const struct pages *pages, size_t offset)
{
	enum ksr_cause cause;

	if (ksr_events_is_header(first->diff->events, pages->address + offset))
		return true;
	/* When a folder or file was changed is nothing that a process has of itself. */
	if (are_times(first, pages, offset))
		return false;
	cause = cause_of(pages, offset);
	return cause < KSR_CAUSE_COUNTER || cause > KSR_CAUSE_VALUE;
}

/* The same of a text, from where it differs on; numbers may look like a part of one. */
static bool is_known_text(const struct pages *pages, const struct ksr_atom *atom)
{
	size_t end = (size_t)atom->offset + atom->bytes;
	size_t at = atom->offset;
	enum ksr_cause cause;
	size_t begin;

	if (pages->has_moved && (at == 0 || end == pages->page_bytes))
		return true;
	while (at < end - 1 && pages->bytes[0][at] == pages->bytes[1][at])
		at++;
	if (ksr_id_text(pages->pair, pages->bytes[0], pages->bytes[1], pages->page_bytes, at,
			&begin))
		return true;
	cause = cause_of(pages, ksm_align_down(at, 8));
	return cause == KSR_CAUSE_ID || cause == KSR_CAUSE_RANDOM || cause == KSR_CAUSE_MANGLED;
}

static bool is_moved_or_known(struct ksr_first *first, const struct pages *pages, int which,
			      const struct ksr_atom *atom)
{
	return memcmp(pages->bytes[0] + atom->offset, pages->bytes[1] + atom->offset,
		      atom->bytes) == 0 ||
	       ksr_atom_set_has(set_of(first, !which, atom), atom->hash) ||
	       (atom->is_text ? is_known_text(pages, atom)
			      : is_known_number(first, pages, atom->offset));
}

/* Where the pointer beside it leads to, as an address of the first process. */
static uint64_t type_of(const struct ksr_first *first, const struct pages *pages, int which,
			size_t offset)
{
	const struct ksr_diff *diff = first->diff;
	const struct ksr_space *space = diff->spaces[which];
	/* What follows a text or a hash is another object more often than not. */
	size_t before = ksm_align_down(offset, 8) - (offset >= 8 ? 8 : 0);
	uint64_t address = ksr_diff_find_type(space, pages->bytes[which], before);
	const struct ksr_range *range = address ? ksr_space_find(space, address) : NULL;
	uint32_t other;

	if (which == 0 || !range)
		return address;
	other = diff->match[1][range->region];
	return other == KSR_REGION_NONE ? 0
					: address - space->regions[range->region].base +
						  diff->spaces[0]->regions[other].base;
}

static struct ksr_diff_place place_of(const struct ksr_first *first, const struct pages *pages,
				      int which, const struct ksr_atom *atom)
{
	struct ksr_diff_place place = {.address = atom->offset, .is_text = atom->is_text};

	place.only[which] = true;
	if (atom->is_text) {
		place.is_entry = ksr_folder_names_have(&first->names, atom->hash);
		for (int i = 0; i < 2; i++)
			place.bytes[i] = (uint32_t)ksr_atoms_text_bytes(
				pages->bytes[i], pages->page_bytes, atom->offset);
	} else {
		place.is_time = are_times(first, pages, atom->offset);
	}
	return place;
}

static int compare_places(const void *left, const void *right)
{
	const struct ksr_diff_place *a = left;
	const struct ksr_diff_place *b = right;

	return a->address < b->address ? -1 : a->address > b->address;
}

static void join(struct ksr_diff_place *place, const struct ksr_diff_place *other)
{
	if (ksr_place_telling(other) > ksr_place_telling(place))
		*place = *other;
	else if (place->address == other->address) {
		place->only[0] = place->only[0] || other->only[0];
		place->only[1] = place->only[1] || other->only[1];
	}
}

/* Makes one place of those that are close together; their number is returned. */
static size_t join_places(struct ksr_diff_place *found, size_t count)
{
	size_t kept = 0;

	if (count)
		qsort(found, count, sizeof(*found), compare_places);
	for (size_t i = 0; i < count; i++) {
		if (kept && found[i].address - found[kept - 1].address <= ONE_OBJECT)
			join(&found[kept - 1], &found[i]);
		else
			found[kept++] = found[i];
	}
	return kept;
}

/* Of those that are too many only the number is kept. */
static bool has_room(const struct ksr_diff_row *row, const struct ksr_diff_place *place)
{
	return row->place_count < KSR_DIFF_PLACES_MOST + (place->is_entry ? ENTRIES_MOST : 0);
}

static int add_place(struct ksr_diff_row *row, const struct ksr_diff_place *place)
{
	struct ksr_diff_place *larger = ksr_grow_by_count(row->places, row->place_count, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	row->places = larger;
	row->places[row->place_count++] = *place;
	return 0;
}

/* Keeps a place of the page at address where it is wanted. */
static int keep_place(struct ksr_first *first, struct ksr_diff_row *row, const struct pages *pages,
		      struct ksr_diff_place *place, uint64_t address)
{
	struct ksr_events *events = first->diff->events;
	bool is_earliest = ksr_events_want(events, address + place->address, place);

	if (!is_earliest && !has_room(row, place))
		return 0;
	place->type = type_of(first, pages, !place->only[0], (size_t)place->address);
	place->address += address;
	if (is_earliest)
		ksr_events_take(events, (uint32_t)(row - first->diff->rows), place);
	return has_room(row, place) ? add_place(row, place) : 0;
}

int ksr_first_look(struct ksr_first *first, struct ksr_diff_row *row, struct ksr_pair *pair,
		   uint64_t address, const unsigned char *a, const unsigned char *b,
		   enum ksr_page_class class)
{
	struct pages pages = {.pair = pair,
			      .bytes = {a, b},
			      .address = address,
			      .has_moved = class == KSR_PAGE_SHIFTED};
	size_t atoms = 0;
	size_t found = 0;
	int error = 0;

	if (!first || row->kind == KSR_REGION_STACK || row->kind == KSR_REGION_THREAD_STACK)
		return 0;
	pages.page_bytes = first->diff->spaces[0]->page_bytes;
	for (int which = 0; which < 2; which++) {
		size_t count = ksr_atoms_find(pages.bytes[which], pages.page_bytes, first->atoms);

		atoms += count;
		for (size_t i = 0; i < count; i++) {
			if (!is_moved_or_known(first, &pages, which, &first->atoms[i]))
				first->found[found++] =
					place_of(first, &pages, which, &first->atoms[i]);
		}
	}
	found = join_places(first->found, found);
	row->place_total += found;
	row->counts.moved += class == KSR_PAGE_OTHER && atoms && found == 0;
	for (size_t i = 0; i < found && !error; i++)
		error = keep_place(first, row, &pages, &first->found[i], address);
	return error;
}

/* --- order ------------------------------------------------------------------------------------ */

/* Where content comes about early: small blocks before those that were worth a slot. */
static int age_of(const struct ksr_first_place *entry)
{
	if (entry->place->is_entry)
		return 0;
	switch (entry->row->kind) {
	case KSR_REGION_FILE:
		return 2;
	case KSR_REGION_NURSERY:
		return 3;
	case KSR_REGION_SITE:
		return 4;
	default:
		return 1;
	}
}

static int compare_first(const void *left, const void *right, void *user)
{
	const struct ksr_first_place *a = left;
	const struct ksr_first_place *b = right;
	const struct ksr_diff *diff = user;
	int x = age_of(a);
	int y = age_of(b);

	if (x != y)
		return x - y;
	/* The segment has sites in the order of their first calls. */
	if (x == 4 && a->row != b->row && a->row->regions[0] != KSR_REGION_NONE &&
	    b->row->regions[0] != KSR_REGION_NONE)
		return diff->spaces[0]->regions[a->row->regions[0]].site <
				       diff->spaces[0]->regions[b->row->regions[0]].site
			       ? -1
			       : 1;
	return compare_places(a->place, b->place);
}

struct ksr_first_place *ksr_first_places(const struct ksr_diff *diff, size_t *count)
{
	struct ksr_first_place *list;
	size_t room = 0;

	*count = 0;
	for (size_t i = 0; i < diff->row_count; i++)
		room += diff->rows[i].place_count;
	list = calloc(room + 1, sizeof(*list));
	for (size_t i = 0; list && i < diff->row_count; i++) {
		for (size_t k = 0; k < diff->rows[i].place_count; k++)
			list[(*count)++] =
				(struct ksr_first_place){&diff->rows[i], &diff->rows[i].places[k]};
	}
	if (*count)
		qsort_r(list, *count, sizeof(*list), compare_first, (void *)(uintptr_t)diff);
	return list;
}
