/* SPDX-License-Identifier: BSD-2-Clause */
/* A site is named from whichever of the two processes has it. */
#define _GNU_SOURCE
#include "show/causes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* --- names of rows ------------------------------------------------------------------ */

/* The region that each mark of a process lies in; NULL where it has none, or without memory. */
static uint32_t *regions_of_marks(const struct ksr_space *space)
{
	uint32_t count = space->has_segment ? space->snapshot.header.marks.count : 0;
	uint32_t *regions = count ? calloc(count, sizeof(*regions)) : NULL;

	for (uint32_t i = 0; regions && i < count; i++) {
		const struct ksr_range *range = NULL;
		struct ksmalloc_segment_mark mark;

		if (ksr_snapshot_mark(&space->snapshot, i, &mark))
			range = ksr_space_find(space, mark.address);
		regions[i] = range ? range->region : KSR_REGION_NONE;
	}
	return regions;
}

/* Who holds most of what is marked in a region; 0: nobody is known. */
static uint32_t heaviest_origin(const struct ksr_space *space, const uint32_t *regions, uint32_t region)
{
	uint64_t *weights;
	uint32_t best = 0;

	if (!regions)
		return 0;
	weights = calloc(space->snapshot.header.origins.count + 1, sizeof(*weights));
	for (uint32_t i = 0; weights && i < space->snapshot.header.marks.count; i++) {
		struct ksmalloc_segment_mark mark;

		if (regions[i] != region || !ksr_snapshot_mark(&space->snapshot, i, &mark))
			continue;
		weights[mark.origin] += ksm_min(mark.weight, UINT64_C(1) << 48);
		if (mark.origin && weights[mark.origin] > weights[best])
			best = mark.origin;
	}
	free(weights);
	return best;
}

static char *copy(const char *before, const char *name, const char *after)
{
	char *text;

	return asprintf(&text, "%s%s%s", before, name, after) < 0 ? NULL : text;
}

static char *row_name(const struct ksr_diff *diff, const struct ksr_diff_row *row, struct ksr_symbols *symbols,
		      uint32_t *const marks[2])
{
	int which = row->regions[0] == KSR_REGION_NONE;
	const struct ksr_space *space = diff->spaces[which];
	const struct ksr_region *region = &space->regions[row->regions[which]];
	uint32_t origin = heaviest_origin(space, marks[which], row->regions[which]);
	const struct ksr_stack *stack = origin ? ksr_symbols_origin(symbols, &space->snapshot, origin) : NULL;
	char *text;

	switch (row->kind) {
	case KSR_REGION_SITE:
		if (!stack)
			stack = ksr_symbols_stack(symbols, &space->snapshot, region->site);
		return strdup(stack ? stack->name : "unknown");
	case KSR_REGION_FILE:
		return copy("(data of ", last_component(region->name), ")");
	default:
		if (stack)
			return asprintf(&text, "(%s, most of it %s)", ksr_region_kind_name(row->kind), stack->where) < 0 ?
				       NULL :
				       text;
		return copy("(", ksr_region_kind_name(row->kind), ")");
	}
}

static int fill(const struct ksr_diff *diff, struct ksr_diff_names *names)
{
	uint32_t *const marks[2] = {regions_of_marks(diff->spaces[0]), regions_of_marks(diff->spaces[1])};
	int error = 0;

	for (size_t i = 0; i < diff->row_count && !error; i++) {
		names->rows[i] = row_name(diff, &diff->rows[i], names->symbols, marks);
		if (!names->rows[i])
			error = -ENOMEM;
	}
	free(marks[0]);
	free(marks[1]);
	return error;
}

int ksr_diff_names_create(const struct ksr_fs *fs, const struct ksr_diff *diff, const struct ksr_naming *naming,
			  struct ksr_diff_names *names)
{
	int error = -ENOMEM;

	memset(names, 0, sizeof(*names));
	names->rows = calloc(diff->row_count + 1, sizeof(*names->rows));
	names->count = diff->row_count;
	names->symbols = ksr_symbols_create_for(fs, naming);
	names->data = ksr_data_symbols_create(fs, diff->spaces[0], naming->resolve);
	if (names->rows && names->symbols && names->data)
		error = fill(diff, names);
	if (error)
		ksr_diff_names_destroy(names);
	return error;
}

void ksr_diff_names_destroy(struct ksr_diff_names *names)
{
	for (size_t i = 0; names->rows && i < names->count; i++)
		free(names->rows[i]);
	free(names->rows);
	ksr_symbols_destroy(names->symbols);
	ksr_data_symbols_destroy(names->data);
	memset(names, 0, sizeof(*names));
}

/* Where a pointer points to. */
static void target_text(const struct ksr_diff *diff, const struct ksr_diff_names *names,
			uint32_t target, char *text, size_t bytes)
{
	const struct ksr_region *region = &diff->spaces[0]->regions[target];

	switch (region->kind) {
	case KSR_REGION_SITE:
		snprintf(text, bytes, "blocks of %s", names->rows[diff->row_of[0][target]]);
		break;
	case KSR_REGION_FILE:
		snprintf(text, bytes, "%s%s", region->is_program ? "the program " : "",
			 last_component(region->name));
		break;
	case KSR_REGION_STACK:
		snprintf(text, bytes, "[stack]");
		break;
	case KSR_REGION_BRK:
		snprintf(text, bytes, "[heap] (brk)");
		break;
	default:
		snprintf(text, bytes, "%s", ksr_region_kind_name(region->kind));
	}
}

static size_t put_deltas(const struct ksr_diff_cause *cause, char *text, size_t bytes)
{
	size_t used = 0;

	if (cause->delta_count > KSR_FEW_DELTAS)
		return (size_t)snprintf(text, bytes, ", by offsets that vary from page to page");
	for (uint32_t i = 0; i < cause->delta_count && used < bytes; i++)
		used += (size_t)snprintf(text + used, bytes - used, "%s%+" PRId64,
					 i ? ", " : ", by ", cause->deltas[i]);
	return used;
}

void ksr_diff_cause_text(const struct ksr_diff *diff, const struct ksr_diff_names *names,
			 const struct ksr_diff_cause *cause, char *text, size_t bytes)
{
	char target[256] = "";

	if (cause->target != KSR_REGION_NONE)
		target_text(diff, names, cause->target, target, sizeof(target));
	switch (cause->cause) {
	case KSR_CAUSE_POINTER_LAYOUT:
		snprintf(text, bytes, "pointers into %s, which lies elsewhere: the layouts differ",
			 target);
		break;
	case KSR_CAUSE_POINTER_SHIFTED: {
		size_t used = (size_t)snprintf(text, bytes, "pointers into %s", target);

		if (used < bytes)
			put_deltas(cause, text + used, bytes - used);
		break;
	}
	case KSR_CAUSE_POINTER_MOVED:
		snprintf(text, bytes, "pointers to other places in %s", target);
		break;
	case KSR_CAUSE_POINTER_OTHER:
		snprintf(text, bytes, "pointers into %s, in the second into something else",
			 target);
		break;
	case KSR_CAUSE_SHIFTED: {
		size_t used = (size_t)snprintf(text, bytes, "shifted content");

		if (used < bytes)
			put_deltas(cause, text + used, bytes - used);
		break;
	}
	default:
		snprintf(text, bytes, "%s", ksr_cause_text(cause->cause));
	}
}

static int compare_causes(const void *left, const void *right)
{
	const struct ksr_diff_cause *a = *(const struct ksr_diff_cause *const *)left;
	const struct ksr_diff_cause *b = *(const struct ksr_diff_cause *const *)right;

	if (a->pages != b->pages)
		return a->pages > b->pages ? -1 : 1;
	if (a->words != b->words)
		return a->words > b->words ? -1 : 1;
	return a->example < b->example ? -1 : a->example > b->example;
}

const struct ksr_diff_cause **ksr_diff_causes(const struct ksr_diff *diff, size_t *count)
{
	const struct ksr_diff_cause **causes;
	size_t room = 0;

	*count = 0;
	for (size_t i = 0; i < diff->row_count; i++)
		room += diff->rows[i].cause_count;
	causes = room ? calloc(room, sizeof(*causes)) : NULL;
	if (!causes)
		return NULL;
	for (size_t i = 0; i < diff->row_count; i++) {
		for (size_t k = 0; k < diff->rows[i].cause_count; k++)
			causes[(*count)++] = &diff->rows[i].causes[k];
	}
	qsort(causes, *count, sizeof(*causes), compare_causes);
	return causes;
}
