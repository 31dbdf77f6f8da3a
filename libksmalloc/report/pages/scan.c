/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first walk leaves a record of each page that has no equal counterpart,
 * with hashes of its contents; a page whose content lies anywhere else in the
 * other process merges as well, since KSM asks for no address. The second walk
 * reads the other pairs once more, with the neighbourhood of the counterpart.
 */
#define _GNU_SOURCE
#include "pages/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "pages/events.h"
#include "pages/first.h"
#include "pages/masked.h"
#include "pages/notes.h"
#include "pages/sum.h"
#include "read/grow.h"
#include "read/reader.h"
#include "read/sharing.h"

#define BATCH 256
#define LOOK_BATCH 64
/* Pages before and behind a counterpart that moved content is looked for in. */
#define MARGIN 4
/* Mappings above this are reservations of address space; reading their pagemap takes minutes. */
#define RANGE_MOST (UINT64_C(1) << 40)

#define KPAGEFLAG_KSM (UINT64_C(1) << 21)
#define KPAGEFLAG_ZERO (UINT64_C(1) << 24)

/* Searches in a row that are always made; later ones only now and then, unless they succeed. */
#define ALWAYS_WORDS 1024
#define ALWAYS_ALL 64

struct record {
	uint64_t address[2]; /* 0: the page is not there in this process */
	uint64_t hash[2];
	uint64_t masked[2]; /* without addresses, where pages are noted */
	uint32_t row;
};

/* Sorted hashes. */
struct hashes {
	uint64_t *list;
	size_t count;
};

struct scan {
	struct ksr_diff *diff;
	struct ksr_reader readers[2];
	struct ksr_masker maskers[2];
	struct hashes masked[2]; /* contents without addresses */
	int flags_fd;
	struct record *records;
	size_t record_count;
	size_t record_room;
	unsigned char *bytes[2];
	uint64_t entries[2][BATCH];
};

/* --- the first walk ---------------------------------------------------------------- */

static int add_record(struct scan *scan, const struct record *record)
{
	struct record *larger = ksr_grow(scan->records, scan->record_count, &scan->record_room, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	scan->records = larger;
	scan->records[scan->record_count++] = *record;
	return 0;
}

static bool is_zero(const unsigned char *page, uint64_t bytes)
{
	return page[0] == 0 && memcmp(page, page + 1, bytes - 1) == 0;
}

/* A page that both processes map: its frame tells why, where the kernel's flags tell the truth. */
static void count_shared_frame(const struct scan *scan, uint64_t frame, const unsigned char *page,
			       struct ksr_diff_counts *counts)
{
	uint64_t flags = 0;

	counts->equal++;
	if (scan->flags_fd < 0) {
		counts->zero += is_zero(page, scan->diff->spaces[0]->page_bytes);
		return;
	}
	if (pread(scan->flags_fd, &flags, sizeof(flags), (off_t)(frame * sizeof(flags))) !=
	    sizeof(flags))
		flags = 0;
	if (flags & KPAGEFLAG_ZERO)
		counts->zero++;
	else if (flags & KPAGEFLAG_KSM)
		counts->merged++;
	else
		counts->forked++;
}

static uint64_t masked_of(struct scan *scan, int which, const unsigned char *page)
{
	return scan->diff->notes ? ksr_masked_hash(&scan->maskers[which], page) : 0;
}

static int count_pair(struct scan *scan, struct ksr_diff_row *row, size_t i, uint64_t first,
		      uint64_t second)
{
	uint64_t page_bytes = scan->diff->spaces[0]->page_bytes;
	const unsigned char *a = scan->bytes[0] + i * page_bytes;
	const unsigned char *b = scan->bytes[1] + i * page_bytes;
	uint64_t frame = scan->entries[0][i] & KSR_PAGEMAP_FRAME;
	struct record record = {.address = {first, second}, .row = (uint32_t)(row - scan->diff->rows)};

	row->counts.both++;
	if (frame)
		scan->diff->has_frames = true;
	if (frame && frame == (scan->entries[1][i] & KSR_PAGEMAP_FRAME)) {
		count_shared_frame(scan, frame, a, &row->counts);
		ksr_events_add_pair(scan->diff->events, first, true);
		ksr_notes_add(scan->diff->notes, record.row, first, KSR_PAGE_EQUAL);
		return 0;
	}
	if (memcmp(a, b, page_bytes) == 0) {
		row->counts.equal++;
		row->counts.zero += is_zero(a, page_bytes);
		ksr_events_add_pair(scan->diff->events, first, true);
		ksr_notes_add(scan->diff->notes, record.row, first, KSR_PAGE_EQUAL);
		return 0;
	}
	record.hash[0] = XXH3_64bits(a, page_bytes);
	record.hash[1] = XXH3_64bits(b, page_bytes);
	record.masked[0] = masked_of(scan, 0, a);
	record.masked[1] = masked_of(scan, 1, b);
	ksr_first_note(scan->diff->first, 0, a);
	ksr_first_note(scan->diff->first, 1, b);
	return add_record(scan, &record);
}

static int count_single(struct scan *scan, struct ksr_diff_row *row, size_t i, int which,
			uint64_t address)
{
	uint64_t page_bytes = scan->diff->spaces[0]->page_bytes;
	struct record record = {.row = (uint32_t)(row - scan->diff->rows)};

	record.address[which] = address;
	record.hash[which] = XXH3_64bits(scan->bytes[which] + i * page_bytes, page_bytes);
	record.masked[which] = masked_of(scan, which, scan->bytes[which] + i * page_bytes);
	ksr_first_note(scan->diff->first, which, scan->bytes[which] + i * page_bytes);
	if (which == 0)
		row->counts.only_first++;
	else
		row->counts.only_second++;
	ksr_events_add_single(scan->diff->events, which, address);
	return add_record(scan, &record);
}

/* Pages that both have from the same place of a store are equal, and not read: that would make them resident. */
static void count_shared(struct scan *scan, struct ksr_diff_row *row, uint64_t first, uint64_t second, size_t count)
{
	const struct ksr_space *const *spaces = scan->diff->spaces;
	uint64_t page_bytes = spaces[0]->page_bytes;

	for (size_t i = 0; i < count; i++) {
		if (!(scan->entries[0][i] & scan->entries[1][i] & KSR_PAGEMAP_STORE) ||
		    !ksr_space_same_store(spaces[0], first + i * page_bytes, spaces[1], second + i * page_bytes))
			continue;
		row->counts.both++;
		row->counts.equal++;
		row->counts.shared++;
		ksr_events_add_pair(scan->diff->events, first + i * page_bytes, true);
		scan->entries[0][i] = scan->entries[1][i] = 0;
	}
}

/* Pages of process `which`; pairs are counted in the first process's turn only. */
static int count_batch(struct scan *scan, struct ksr_diff_row *row, int which, uint64_t mine,
		       uint64_t theirs, size_t count)
{
	uint64_t page_bytes = scan->diff->spaces[0]->page_bytes;
	uint64_t *own = scan->entries[which];
	uint64_t *others = scan->entries[!which];
	bool any = false;
	int error = 0;

	ksr_reader_entries(&scan->readers[which], mine, count, own);
	for (size_t i = 0; i < count; i++) {
		row->counts.swapped += (own[i] & KSR_PAGEMAP_SWAPPED) != 0;
		any = any || ksr_is_private(own[i]);
	}
	/* Most of a large reservation: the rest, a MiB of zeros, costs many times as much. */
	if (!any)
		return 0;
	if (theirs)
		ksr_reader_entries(&scan->readers[!which], theirs, count, others);
	else
		memset(others, 0, count * sizeof(*others));
	/* What need not be read is not. */
	for (size_t i = 0; which && i < count; i++) {
		if (ksr_is_private(others[i]))
			own[i] = 0;
	}
	if (which == 0 && theirs)
		count_shared(scan, row, mine, theirs, count);
	ksr_reader_pages(&scan->readers[which], mine, count, own, scan->bytes[which]);
	if (which == 0 && theirs)
		ksr_reader_pages(&scan->readers[1], theirs, count, others, scan->bytes[1]);
	for (size_t i = 0; i < count && !error; i++) {
		if (!ksr_is_private(own[i]))
			continue;
		if (which == 0 && ksr_is_private(others[i]))
			error = count_pair(scan, row, i, mine + i * page_bytes,
					   theirs + i * page_bytes);
		else
			error = count_single(scan, row, i, which, mine + i * page_bytes);
	}
	return error;
}

/* One stretch of `every`, the same ones for both processes and all their places. */
static bool is_sampled(const struct ksr_diff *diff, uint64_t offset)
{
	uint64_t stretch = offset / (BATCH * diff->spaces[0]->page_bytes);

	return diff->every <= 1 ||
	       (stretch * UINT64_C(0x9e3779b97f4a7c15) >> 32) % diff->every == 0;
}

static int count_range(struct scan *scan, int which, const struct ksr_range *range)
{
	struct ksr_diff *diff = scan->diff;
	const struct ksr_region *region = &diff->spaces[which]->regions[range->region];
	uint32_t other = diff->match[which][range->region];
	struct ksr_diff_row *row = &diff->rows[diff->row_of[which][range->region]];
	uint64_t page_bytes = diff->spaces[0]->page_bytes;
	uint64_t shift = 0;
	int error = 0;

	if (!row->wanted || region->kind == KSR_REGION_FOREIGN)
		return 0;
	if (range->end - range->begin > RANGE_MOST) {
		diff->unlooked += range->end - range->begin;
		return 0;
	}
	if (other != KSR_REGION_NONE)
		shift = diff->spaces[!which]->regions[other].base - region->base;
	for (uint64_t at = range->begin; at < range->end && !error;) {
		/* Batches end where stretches do, so that sampling sees whole ones. */
		uint64_t stretch = BATCH * page_bytes;
		uint64_t end = ksm_min(range->end, at + stretch - (at - region->base) % stretch);

		if (is_sampled(diff, at - region->base))
			error = count_batch(scan, row, which, at,
					    other == KSR_REGION_NONE ? 0 : at + shift,
					    (size_t)((end - at) / page_bytes));
		at = end;
	}
	return error;
}

static int count_all(struct scan *scan)
{
	int error = 0;

	for (int which = 0; which < 2; which++) {
		const struct ksr_space *space = scan->diff->spaces[which];

		for (size_t i = 0; i < space->range_count && !error; i++) {
			/* The counterpart may be populated though smaps was read a moment before.
			 */
			if (space->ranges[i].populated)
				error = count_range(scan, which, &space->ranges[i]);
		}
	}
	return error;
}

/* --- contents that lie elsewhere ----------------------------------------------------- */

static int compare_hashes(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left;
	uint64_t b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

/* The hashes of the pages of one process that have no equal counterpart, sorted: of the whole, or without addresses. */
static int sort_hashes(const struct scan *scan, int which, bool masked, struct hashes *hashes)
{
	hashes->list = calloc(scan->record_count + 1, sizeof(*hashes->list));
	hashes->count = 0;
	if (!hashes->list)
		return -ENOMEM;
	for (size_t i = 0; i < scan->record_count; i++) {
		const struct record *record = &scan->records[i];

		if (record->address[which] && (!masked || record->masked[which]))
			hashes->list[hashes->count++] = masked ? record->masked[which] : record->hash[which];
	}
	qsort(hashes->list, hashes->count, sizeof(*hashes->list), compare_hashes);
	return 0;
}

static bool has_hash(const struct hashes *hashes, uint64_t hash)
{
	return bsearch(&hash, hashes->list, hashes->count, sizeof(*hashes->list), compare_hashes) != NULL;
}

/* Is the page of the first process somewhere in the other one, but for its addresses? */
static bool is_masked(const struct scan *scan, const struct record *record)
{
	return record->address[0] && record->masked[0] && has_hash(&scan->masked[1], record->masked[0]);
}

/* A page that is there in one process only. */
static void drop_single(struct scan *scan, const struct record *record, bool elsewhere)
{
	struct ksr_diff_counts *row = &scan->diff->rows[record->row].counts;
	bool masked = !elsewhere && is_masked(scan, record);

	row->elsewhere_single += elsewhere;
	row->masked_single += masked;
	if (record->address[0])
		ksr_notes_add(scan->diff->notes, record->row, record->address[0],
			      elsewhere ? KSR_PAGE_EQUAL : masked ? KSR_PAGE_POINTERS : KSR_PAGE_OTHER);
}

/* A page that is there in both. True if it is to be looked into. */
static bool drop_pair(struct scan *scan, const struct record *record, bool elsewhere)
{
	struct ksr_diff_row *row = &scan->diff->rows[record->row];

	row->counts.elsewhere_pairs += elsewhere;
	row->differing += !elsewhere;
	ksr_events_add_pair(scan->diff->events, record->address[0], elsewhere);
	if (elsewhere)
		ksr_notes_add(scan->diff->notes, record->row, record->address[0], KSR_PAGE_EQUAL);
	return !elsewhere;
}

/* Drops the records whose contents merge where they are; those of single pages go in any case. */
static int drop_elsewhere(struct scan *scan)
{
	struct hashes hashes[2] = {{0}};
	size_t kept = 0;
	int error = 0;

	for (int which = 0; which < 2 && !error; which++) {
		error = sort_hashes(scan, which, false, &hashes[which]);
		if (!error)
			error = sort_hashes(scan, which, true, &scan->masked[which]);
	}
	for (size_t i = 0; !error && i < scan->record_count; i++) {
		const struct record *record = &scan->records[i];
		bool elsewhere = true;

		for (int which = 0; which < 2; which++) {
			if (record->address[which])
				elsewhere = elsewhere && has_hash(&hashes[!which], record->hash[which]);
		}
		if (!record->address[0] || !record->address[1])
			drop_single(scan, record, elsewhere);
		else if (drop_pair(scan, record, elsewhere))
			scan->records[kept++] = *record;
	}
	scan->record_count = kept;
	free(hashes[0].list);
	free(hashes[1].list);
	return error;
}

/* --- the second walk ------------------------------------------------------------------- */

/* Moved content comes in rows of pages; where nothing has moved, searching is a waste. */
static enum ksr_search search_for(struct ksr_diff_row *row)
{
	uint64_t searched = row->searched++;

	if (searched < ALWAYS_ALL || row->found > searched / 4 || searched % 64 == 0)
		return KSR_SEARCH_ALL;
	return searched < ALWAYS_WORDS || searched % 8 == 0 ? KSR_SEARCH_WORDS : KSR_SEARCH_NOT;
}

static int look_into(struct scan *scan, struct ksr_pair *pair, const struct record *record,
		     const unsigned char *page, const struct ksr_window *window,
		     struct ksr_page_diff *result)
{
	struct ksr_diff_row *row = &scan->diff->rows[record->row];
	bool masked;
	int error = 0;

	row->looked++;
	result->shift = row->shift;
	ksr_words_compare(pair, page, window, search_for(row), result);
	if (result->class == KSR_PAGE_SHIFTED) {
		row->found++;
		row->shift = result->shift;
	}
	if (result->class != KSR_PAGE_EQUAL)
		error = ksr_first_look(scan->diff->first, row, pair, record->address[0], page,
				       window->begin, result->class);
	ksr_events_look(scan->diff->events, record->address[0], page, result);
	masked = result->class == KSR_PAGE_OTHER && is_masked(scan, record);
	row->counts.masked += masked;
	ksr_notes_add(scan->diff->notes, record->row, record->address[0], masked ? KSR_PAGE_POINTERS : result->class);
	return error ? error : ksr_diff_add(scan->diff, row, record->address[0], page, result);
}

/* Records first up to, not including, last lie close together and have one distance. */
static int look_into_batch(struct scan *scan, struct ksr_pair *pair, size_t first, size_t last,
			   struct ksr_page_diff *result)
{
	const struct record *records = scan->records;
	uint64_t page_bytes = scan->diff->spaces[0]->page_bytes;
	uint64_t begin[2] = {records[first].address[0], records[first].address[1]};
	size_t pages = (size_t)((records[last - 1].address[0] - begin[0]) / page_bytes) + 1;
	uint64_t before = ksm_min(MARGIN, begin[1] / page_bytes);
	size_t window_pages = before + pages + MARGIN;
	int error = 0;

	ksr_reader_entries(&scan->readers[0], begin[0], pages, scan->entries[0]);
	ksr_reader_pages(&scan->readers[0], begin[0], pages, scan->entries[0], scan->bytes[0]);
	begin[1] -= before * page_bytes;
	ksr_reader_entries(&scan->readers[1], begin[1], window_pages, scan->entries[1]);
	ksr_reader_pages(&scan->readers[1], begin[1], window_pages, scan->entries[1],
			 scan->bytes[1]);
	for (size_t i = first; i < last && !error; i++) {
		size_t at = (size_t)(records[i].address[0] - begin[0]);
		size_t there = (size_t)(records[i].address[1] - begin[1]);
		struct ksr_window window = {
			.begin = scan->bytes[1] + there,
			.before = ksm_min(there, MARGIN * page_bytes),
			.after = MARGIN * page_bytes,
		};

		error = look_into(scan, pair, &records[i], scan->bytes[0] + at, &window, result);
	}
	return error;
}

/* Whole batches, spread over the row by a hash, so that no pattern of addresses decides. */
static bool is_looked_into(const struct ksr_diff_row *row, uint64_t page)
{
	uint64_t share = row->differing / KSR_DIFF_LOOK_MOST + 1;

	/* One stretch at least, whatever the hash says. */
	return share == 1 || row->looked == 0 ||
	       ((page / LOOK_BATCH) * UINT64_C(0x9e3779b97f4a7c15) >> 32) % share == 0;
}

static int look_into_all(struct scan *scan)
{
	struct ksr_diff *diff = scan->diff;
	uint64_t page_bytes = diff->spaces[0]->page_bytes;
	struct ksr_pair pair = {.spaces = {diff->spaces[0], diff->spaces[1]},
				.match = diff->match[0],
				.few = diff->few};
	struct ksr_page_diff result = {0};
	int error = 0;

	result.words = calloc(page_bytes / 8, sizeof(*result.words));
	if (!result.words)
		return -ENOMEM;
	for (size_t i = 0, end; i < scan->record_count && !error; i = end) {
		const struct record *first = &scan->records[i];

		for (end = i + 1; end < scan->record_count; end++) {
			const struct record *next = &scan->records[end];

			if (next->address[0] - first->address[0] >= LOOK_BATCH * page_bytes ||
			    next->address[1] - first->address[1] !=
				    next->address[0] - first->address[0])
				break;
		}
		if (is_looked_into(&diff->rows[first->row], first->address[0] / page_bytes))
			error = look_into_batch(scan, &pair, i, end, &result);
	}
	free(result.words);
	return error;
}

int ksr_diff_scan(const struct ksr_fs *fs, struct ksr_diff *diff)
{
	struct scan scan = {.diff = diff, .readers = {{.mem_fd = -1, .map_fd = -1}, {.mem_fd = -1, .map_fd = -1}}};
	uint64_t page_bytes = diff->spaces[0]->page_bytes;
	int error = 0;

	for (int i = 0; i < 2; i++) {
		scan.maskers[i].space = diff->spaces[i];
		scan.bytes[i] = malloc(BATCH * page_bytes);
		if (!scan.bytes[i])
			error = -ENOMEM;
		if (!error)
			error = ksr_reader_open(fs, diff->spaces[i], &scan.readers[i]);
	}
	scan.flags_fd = ksr_page_flags_open(fs);
	diff->flags_tell = scan.flags_fd >= 0;
	if (!error)
		error = count_all(&scan);
	if (!error)
		error = drop_elsewhere(&scan);
	if (!error)
		error = look_into_all(&scan);
	if (!error) {
		ksr_diff_scale(diff);
		ksr_events_finish(diff->events);
	}
	for (int i = 0; i < 2; i++) {
		ksr_reader_close(&scan.readers[i]);
		free(scan.bytes[i]);
		free(scan.masked[i].list);
	}
	if (scan.flags_fd >= 0)
		close(scan.flags_fd);
	free(scan.records);
	return error;
}

int ksr_diff_scan_places(const struct ksr_fs *fs, struct ksr_diff *diff)
{
	int error = ksr_first_create(fs, diff);

	if (!error)
		error = ksr_diff_scan(fs, diff);
	ksr_first_destroy(diff);
	return error;
}
