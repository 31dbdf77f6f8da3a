/* SPDX-License-Identifier: BSD-2-Clause */
/* Origins are named, sorted by name, and joined where names are equal. */
#define _GNU_SOURCE
#include "show/places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHOLES 4u

const char *ksr_place_key_name(enum ksr_place_key key)
{
	static const char *const names[] = {
#define KEY(name, key) key,
		KSR_PLACE_KEYS(KEY)
#undef KEY
	};

	return key < KSR_PLACE_KEY_COUNT ? names[key] : NULL;
}

/* The file of the line, without the number in it; of a function without debug information its module. */
static char *file_of(const struct ksr_line *line)
{
	const char *colon = strrchr(line->place, ':');

	if (!line->place[0])
		return strdup(line->module);
	return strndup(line->place, colon ? (size_t)(colon - line->place) : strlen(line->place));
}

/* The whole stack, so that other stacks of the same function have other names. */
static char *whole_of(const struct ksr_stack *stack)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);

	if (!stream)
		return NULL;
	fputs(stack->where, stream);
	for (size_t i = stack->deciding + 1; i < stack->count; i++) {
		if (stack->lines[i].language == stack->lines[stack->deciding].language)
			fprintf(stream, " < %s", stack->lines[i].function);
	}
	if (fclose(stream) == 0)
		return text;
	free(text);
	return NULL;
}

static char *name_of(const struct ksr_stack *stack, enum ksr_place_key by)
{
	const struct ksr_line *line = stack && stack->count ? &stack->lines[stack->deciding] : NULL;

	if (!stack)
		return strdup("unknown");
	if (by == KSR_PLACE_FUNCTION || !line)
		return strdup(stack->where);
	if (by == KSR_PLACE_STACK)
		return whole_of(stack);
	if (by == KSR_PLACE_FILE)
		return file_of(line);
	return strdup(by == KSR_PLACE_MODULE ? line->module : ksr_language_words(line->language));
}

static void fill_place(const struct ksr_origin *origin, struct ksr_place *place)
{
	const struct ksr_memory *memory = &origin->memory;

	place->largest = origin;
	place->memory = *memory;
	place->held = ksr_less(memory->held, memory->fork_shared);
	place->merged = ksm_min(memory->saved, place->held);
	place->shared = ksr_less(memory->shared, memory->stored);
	place->live = origin->held;
	place->live_error = origin->held_error;
	place->kinds = origin->kinds;
	place->processes = origin->processes;
	place->stacks = 1;
}

static int compare_names(const void *left, const void *right)
{
	const struct ksr_place *a = left;
	const struct ksr_place *b = right;
	int names = strcmp(a->name, b->name);

	return names ? names : a->held > b->held ? -1 : a->held < b->held;
}

static int compare_held(const void *left, const void *right)
{
	const struct ksr_place *a = left;
	const struct ksr_place *b = right;

	return a->held > b->held ? -1 : a->held < b->held ? 1 : strcmp(a->name, b->name);
}

static void join_place(struct ksr_place *sum, const struct ksr_place *part)
{
	ksr_memory_add(&sum->memory, &part->memory);
	sum->held += part->held;
	sum->merged += part->merged;
	sum->shared += part->shared;
	sum->live += part->live;
	sum->live_error = ksr_origin_add_errors(sum->live_error, part->live_error);
	sum->kinds |= part->kinds;
	sum->processes = ksm_max(sum->processes, part->processes);
	sum->stacks += part->stacks;
}

static void join_places(struct ksr_places *places)
{
	size_t kept = 0;

	qsort(places->rows, places->count, sizeof(*places->rows), compare_names);
	for (size_t i = 0; i < places->count; i++) {
		if (kept && strcmp(places->rows[kept - 1].name, places->rows[i].name) == 0) {
			join_place(&places->rows[kept - 1], &places->rows[i]);
			free(places->rows[i].name);
		} else {
			places->rows[kept++] = places->rows[i];
		}
	}
	places->count = kept;
	qsort(places->rows, places->count, sizeof(*places->rows), compare_held);
}

/* What a place has of memory that samples divide is its share of them: as far off, in proportion, as what is live. */
static void find_errors(struct ksr_places *places)
{
	for (size_t i = 0; i < places->count; i++) {
		struct ksr_place *place = &places->rows[i];

		place->held_error = ksm_min(place->held, ksr_scale(place->held, place->live_error, place->live));
	}
}

static void find_rest(const struct ksr_report *report, const struct ksr_balance *total, struct ksr_places *places)
{
	struct ksr_place *rest = &places->rest;

	rest->held = ksr_balance_without(total);
	rest->merged = total->merged;
	rest->shared = total->shared;
	rest->processes = (uint32_t)report->process_count;
	for (size_t i = 0; i < places->count; i++) {
		rest->held = ksr_less(rest->held, places->rows[i].held);
		rest->merged = ksr_less(rest->merged, places->rows[i].merged);
		rest->shared = ksr_less(rest->shared, places->rows[i].shared);
	}
}

/*
 * What was written of a program's or library's data. Its Pss has what fork shares divided, which nothing tells of files
 * otherwise.
 */
static bool add_file(const struct ksr_file *file, struct ksr_places *places)
{
	const struct ksr_memory *memory = &file->memory;
	struct ksr_place *place = &places->rows[places->count];
	char name[128];

	ksr_file_words(file, name, sizeof(name));
	place->memory = *memory;
	place->held = ksm_min(memory->held, memory->own_pss + memory->saved + memory->shared);
	place->merged = ksm_min(memory->saved, place->held);
	place->shared = ksr_less(memory->shared, memory->stored);
	place->kind = "data";
	place->processes = file->processes;
	place->name = strdup(name);
	places->count += place->name != NULL;
	return place->name != NULL;
}

/* What nobody in the program has asked for, and is known as a whole. */
static bool add_whole(struct ksr_places *places, uint64_t bytes, const char *kind, const char *name, uint32_t processes)
{
	struct ksr_place *place = &places->rows[places->count];

	if (bytes == 0)
		return true;
	place->held = bytes;
	place->kind = kind;
	place->processes = processes;
	place->name = strdup(name);
	places->count += place->name != NULL;
	return place->name != NULL;
}

/* The same, where more than a sum is known of it. */
static bool add_nobodys(const struct ksr_report *report, const struct ksr_memory *memory, const char *kind,
			const char *what, struct ksr_places *places)
{
	uint64_t held = ksr_less(memory->held, memory->fork_shared);
	struct ksr_place *place = &places->rows[places->count];
	char name[64];

	snprintf(name, sizeof(name), "(%s)", what);
	if (!add_whole(places, held, kind, name, (uint32_t)report->process_count))
		return false;
	if (held == 0)
		return true;
	place->memory = *memory;
	place->merged = ksm_min(memory->saved, held);
	place->shared = ksr_less(memory->shared, memory->stored);
	return true;
}

/*
 * Nobody has asked for the stack that the kernel gives to a program; stacks of other threads are those of who made them. And
 * nobody has what was freed.
 */
static bool add_all_of_nobody(const struct ksr_report *report, struct ksr_places *places)
{
	return add_nobodys(report, &report->parts[KSR_PART_STACKS].unmarked, "stack", ksr_part_name(KSR_PART_STACKS),
			   places) &&
	       add_nobodys(report, &report->totals.kept, "freed", KSR_KEPT_NAME, places);
}

static bool add_origin(const struct ksr_report *report, const struct ksr_origin *origin, struct ksr_symbols *symbols,
		       enum ksr_place_key by, struct ksr_places *places)
{
	const struct ksr_snapshot *snapshot = &report->processes[origin->sample_process].snapshot;
	struct ksr_place *place = &places->rows[places->count];

	fill_place(origin, place);
	place->stack = origin->is_site ? ksr_symbols_stack(symbols, snapshot, origin->sample_index) :
					 ksr_symbols_origin(symbols, snapshot, origin->sample_index);
	place->name = name_of(place->stack, by);
	/* What the memory is, and its frames, are not those of one stack where others are joined by other things. */
	if (by > KSR_PLACE_STACK)
		place->stack = NULL;
	places->count += place->name != NULL;
	return place->name != NULL;
}

int ksr_places_create(const struct ksr_report *report, const struct ksr_balance *total, struct ksr_symbols *symbols,
		      enum ksr_place_key by, struct ksr_places *places)
{
	bool done = true;

	memset(places, 0, sizeof(*places));
	places->rows = calloc(report->origin_count + report->file_count + WHOLES, sizeof(*places->rows));
	if (!places->rows)
		return -ENOMEM;
	for (size_t i = 0; i < report->origin_count && done; i++)
		done = add_origin(report, &report->origins[i], symbols, by, places);
	for (size_t i = 0; i < report->file_count && done; i++)
		done = add_file(&report->files[i], places);
	done = done && add_whole(places, total->files, "files", "(programs and libraries, as their files are)",
				 (uint32_t)report->process_count) &&
	       add_all_of_nobody(report, places) &&
	       add_whole(places, total->mapped, "shared memory", "(shared mappings)", (uint32_t)report->process_count);
	if (!done) {
		ksr_places_destroy(places);
		return -ENOMEM;
	}
	join_places(places);
	find_errors(places);
	find_rest(report, total, places);
	return 0;
}

void ksr_places_destroy(struct ksr_places *places)
{
	for (size_t i = 0; i < places->count; i++)
		free(places->rows[i].name);
	free(places->rows);
	memset(places, 0, sizeof(*places));
}

/* Of what was joined by other things than its stack, only if there is nothing else in it. */
static bool is_thread_stacks(const struct ksr_place *place)
{
	const uint32_t stack = 1u << KSMALLOC_MARK_STACK;

	return place->kinds == stack || (place->stack && place->largest && (place->largest->kinds & stack));
}

const char *ksr_place_what(const struct ksr_place *place)
{
	if (place->kind)
		return place->kind;
	if (!place->largest)
		return "rest";
	if (is_thread_stacks(place))
		return "thread stacks";
	if (place->stack && place->stack->what)
		return place->stack->what;
	if (place->kinds & 1u << KSMALLOC_MARK_MAPPING)
		return "mapping";
	if (place->kinds & 1u << KSMALLOC_MARK_POOL)
		return "small objects";
	return place->kinds & (1u << KSMALLOC_MARK_SMALL | 1u << KSMALLOC_MARK_HEAP) ? "small blocks" : "large blocks";
}
