/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "top/places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "join/aggregate.h"
#include "join/files.h"
#include "join/group.h"
#include "join/origin.h"
#include "names/symbols.h"
#include "read/clock.h"
#include "read/search.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* A reading that took a second is worth one in two minutes and a half. */
#define PAUSE_FOR_COST 150
/* Names beyond so many are those of programs that are gone; all of them are looked up anew then. */
#define MOST_NAMES 65536

struct name {
	uint64_t id;
	char *text;
};

struct ksr_top_places {
	const struct ksr_fs *fs;
	const struct ksr_selection *selection;
	const struct ksr_naming *naming;
	struct ksr_symbols *symbols;
	struct name *names; /* by ascending id */
	size_t name_count;
	struct ksr_top_place *rows;
	size_t row_count;
	bool read;
	uint64_t read_ms;
	uint64_t next_ms;
};

struct ksr_top_places *ksr_top_places_create(const struct ksr_fs *fs, const struct ksr_selection *selection,
					     const struct ksr_naming *naming)
{
	struct ksr_top_places *places = calloc(1, sizeof(*places));

	if (!places)
		return NULL;
	places->fs = fs;
	places->selection = selection;
	places->naming = naming;
	return places;
}

static void forget_names(struct ksr_top_places *places)
{
	for (size_t i = 0; i < places->name_count; i++)
		free(places->names[i].text);
	free(places->names);
	places->names = NULL;
	places->name_count = 0;
	ksr_symbols_destroy(places->symbols);
	places->symbols = NULL;
}

void ksr_top_places_destroy(struct ksr_top_places *places)
{
	if (!places)
		return;
	forget_names(places);
	free(places->rows);
	free(places);
}

/* --- names --------------------------------------------------------------------------------------- */

static uint64_t id_of(const void *element)
{
	return ((const struct name *)element)->id;
}

/* Where a name of this id is or belongs. */
static size_t find_name(const struct ksr_top_places *places, uint64_t id)
{
	return ksr_search_from(places->names, places->name_count, sizeof(*places->names), id_of, id);
}

static int keep_name(struct ksr_top_places *places, size_t at, uint64_t id, const char *text)
{
	struct name *larger = reallocarray(places->names, places->name_count + 1, sizeof(*larger));
	char *copy = strndup(text, KSR_TOP_NAME_BYTES - 1);

	if (larger)
		places->names = larger;
	if (!larger || !copy) {
		free(copy);
		return -ENOMEM;
	}
	memmove(larger + at + 1, larger + at, (places->name_count - at) * sizeof(*larger));
	larger[at] = (struct name){id, copy};
	places->name_count++;
	return 0;
}

/* Of a site, or of an origin; never empty. */
static void name_of(struct ksr_top_places *places, const struct ksr_snapshot *snapshot, bool is_site, uint32_t index,
		    struct ksr_top_place *row)
{
	size_t at = find_name(places, row->id);
	const struct ksr_stack *stack = NULL;

	if (at < places->name_count && places->names[at].id == row->id) {
		snprintf(row->name, sizeof(row->name), "%s", places->names[at].text);
		return;
	}
	if (places->symbols)
		stack = is_site ? ksr_symbols_stack(places->symbols, snapshot, index) :
				  ksr_symbols_origin(places->symbols, snapshot, index);
	snprintf(row->name, sizeof(row->name), "%s", stack && stack->name[0] ? stack->name : "?");
	if (stack)
		(void)keep_name(places, at, row->id, row->name);
}

/* --- rows ---------------------------------------------------------------------------------------- */

static struct ksr_figures figures_of(const struct ksr_memory *memory)
{
	return (struct ksr_figures){
		.needs = memory->own_pss + memory->stored,
		.ksm = memory->saved + memory->saved_freed,
		.store = ksr_less(memory->shared, memory->stored),
		.swap = memory->swapped,
	};
}

static bool holds_memory(const struct ksr_memory *memory)
{
	return memory->resident || memory->swapped || memory->shared;
}

static struct ksr_top_place *add_row(struct ksr_top_places *places, uint64_t id, uint32_t processes,
				     const struct ksr_memory *memory)
{
	struct ksr_top_place *row = &places->rows[places->row_count];

	if (!holds_memory(memory))
		return NULL;
	places->row_count++;
	*row = (struct ksr_top_place){.id = id, .processes = processes, .figures = figures_of(memory)};
	return row;
}

static void add_sites(struct ksr_top_places *places, const struct ksr_report *report)
{
	for (size_t i = 0; i < report->site_count; i++) {
		const struct ksr_site *site = &report->sites[i];
		struct ksr_top_place *row = add_row(places, site->id, site->processes, &site->memory);

		if (row)
			name_of(places, &report->processes[site->sample_process].snapshot, true, site->sample_index, row);
	}
}

static void add_origins(struct ksr_top_places *places, const struct ksr_report *report)
{
	for (size_t i = 0; i < report->origin_count; i++) {
		const struct ksr_origin *origin = &report->origins[i];
		struct ksr_top_place *row = add_row(places, origin->id, origin->processes, &origin->memory);

		if (!row)
			continue;
		row->live = origin->held;
		row->live_error = origin->held_error;
		name_of(places, &report->processes[origin->sample_process].snapshot, origin->is_site, origin->sample_index,
			row);
	}
}

/* Ids of sites and origins have 48 bits: these are above all of them. */
#define PART_ID(part) (UINT64_C(1) << 48 | (uint64_t)(part))
#define NURSERY_ID PART_ID(KSR_PART_COUNT)
#define FILE_ID PART_ID(KSR_PART_COUNT + 1)
#define KEPT_ID PART_ID(KSR_PART_COUNT + 2)

static void add_parts(struct ksr_top_places *places, const struct ksr_report *report)
{
	for (size_t i = 0; i < KSR_PART_COUNT; i++) {
		const struct ksr_part *part = &report->parts[i];
		struct ksr_top_place *row = i == KSR_PART_FILES ? NULL : add_row(places, PART_ID(i), part->processes,
						    report->origin_count ? &part->unmarked : &part->memory);

		/* Of what nobody offers to KSM it is not counted who has it. */
		if (row && !row->processes)
			row->processes = (uint32_t)report->process_count;

		if (row)
			snprintf(row->name, sizeof(row->name), "(%s)", ksr_part_name((enum ksr_part_id)i));
	}
}

static void add_files(struct ksr_top_places *places, const struct ksr_report *report)
{
	for (size_t i = 0; i < report->file_count; i++) {
		const struct ksr_file *file = &report->files[i];
		struct ksr_top_place *row = add_row(places, FILE_ID,
						    file->processes, &file->memory);

		if (row)
			ksr_file_words(file, row->name, sizeof(row->name));
	}
}

static void add_nursery(struct ksr_top_places *places, const struct ksr_report *report)
{
	struct ksr_top_place *row = report->origin_count ?
		NULL : add_row(places, NURSERY_ID, (uint32_t)report->process_count, &report->totals.nursery);

	if (row)
		snprintf(row->name, sizeof(row->name), "(blocks of small places)");
}

/* Without origins it is in the row of its part. */
static void add_kept(struct ksr_top_places *places, const struct ksr_report *report)
{
	struct ksr_top_place *row = report->origin_count ?
		add_row(places, KEPT_ID, (uint32_t)report->process_count, &report->totals.kept) : NULL;

	if (row)
		snprintf(row->name, sizeof(row->name), "(" KSR_KEPT_NAME ")");
}

static int compare_names(const void *left, const void *right)
{
	const struct ksr_top_place *a = left;
	const struct ksr_top_place *b = right;

	return strcmp(a->name, b->name);
}

/* A place is all memory whose stacks have one name, as in reports; its history is that of the name. */
static void join_names(struct ksr_top_places *places)
{
	size_t kept = 0;

	if (places->row_count)
		qsort(places->rows, places->row_count, sizeof(*places->rows), compare_names);
	for (size_t i = 0; i < places->row_count; i++) {
		struct ksr_top_place *row = &places->rows[i];

		if (kept && strcmp(places->rows[kept - 1].name, row->name) == 0) {
			ksr_figures_add(&places->rows[kept - 1].figures, &row->figures);
			places->rows[kept - 1].live += row->live;
			places->rows[kept - 1].live_error =
				ksr_origin_add_errors(places->rows[kept - 1].live_error, row->live_error);
			places->rows[kept - 1].processes =
				(uint32_t)ksm_max(places->rows[kept - 1].processes, row->processes);
			continue;
		}
		row->id = XXH3_64bits(row->name, strlen(row->name));
		places->rows[kept++] = *row;
	}
	places->row_count = kept;
}

static int take_report(struct ksr_top_places *places, const struct ksr_report *report)
{
	size_t most = report->site_count + report->origin_count + report->file_count + KSR_PART_COUNT + 2;

	free(places->rows);
	places->row_count = 0;
	places->rows = calloc(most, sizeof(*places->rows));
	if (!places->rows)
		return -ENOMEM;
	if (places->name_count > MOST_NAMES)
		forget_names(places);
	if (!places->symbols)
		places->symbols = ksr_symbols_create_for(places->fs, places->naming);
	if (report->origin_count)
		add_origins(places, report);
	else
		add_sites(places, report);
	add_nursery(places, report);
	add_kept(places, report);
	add_parts(places, report);
	add_files(places, report);
	join_names(places);
	return 0;
}

static uint64_t processor_ms(void)
{
	return ksr_clock_of(CLOCK_THREAD_CPUTIME_ID) / KSR_CLOCK_MS;
}

static int read_places(struct ksr_top_places *places, uint64_t now_ms)
{
	uint64_t begin = processor_ms();
	struct ksr_report report;
	int error = ksr_report_create(places->fs, places->selection, &report);

	if (!error) {
		error = take_report(places, &report);
		ksr_report_destroy(&report);
	}
	places->read = !error;
	places->read_ms = now_ms;
	places->next_ms = now_ms + (processor_ms() - begin) * PAUSE_FOR_COST;
	return error;
}

int ksr_top_places_add(struct ksr_top_places *places, struct ksr_top_sample *sample)
{
	int error = 0;

	if (!places->read || sample->at_ms >= places->next_ms)
		error = read_places(places, sample->at_ms);
	if (error)
		return error;
	sample->places = calloc(places->row_count + 1, sizeof(*sample->places));
	if (!sample->places)
		return -ENOMEM;
	memcpy(sample->places, places->rows, places->row_count * sizeof(*sample->places));
	sample->place_count = places->row_count;
	sample->places_ms = places->read_ms;
	sample->has_places = true;
	return 0;
}
