/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "compare/render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

/* Before, after and the change of each value, for programs. */
#define VALUE_COLUMNS(name, key, title, help)                                                      \
	{key "_before", NULL}, {key "_after", NULL}, {key "_change", NULL},
#define VALUE_CELLS (3 * KSR_VALUE_COUNT)

static const struct ksr_column total_columns[] = {
	{"value", "WHAT"}, {"before", "BEFORE"}, {"after", "AFTER"}, {"change", "CHANGE"},
};

static const struct ksr_column group_columns[] = {
	{"private", "PRIVATE"},
	{"held", "HELD"},
	{"saved", "SAVED"},
	{"shared", "SHARED"},
	{"processes_before", "PROCESSES BEFORE"},
	{"processes_after", "AFTER"},
	{"group", "GROUP"},
	{"layout", "LAYOUT"},
	KSR_VALUES(VALUE_COLUMNS)
};

static const struct ksr_column origin_columns[] = {
	{"private", "PRIVATE"},
	{"held", "HELD"},
	{"saved", "SAVED"},
	{"shared", "SHARED"},
	{"state", "STATE"},
	{"group", NULL},
	{"layout", NULL},
	{"program", "PROGRAM"},
	{"processes_before", NULL},
	{"processes_after", NULL},
	{"origin", "ORIGIN"},
	KSR_VALUES(VALUE_COLUMNS)
};

static const struct ksr_column unshared_columns[] = {
	{"bytes", "NOT SHARED ANY MORE"},
	{"merged", "MERGED"},
	{"shared", "SHARED"},
	{"held", "HELD"},
	{"group", NULL},
	{"layout", NULL},
	{"program", "PROGRAM"},
	{"origin", "ORIGIN"},
};

static size_t put_values(struct ksr_cell *cells, const struct ksr_change *change)
{
	size_t next = 0;

	for (int value = 0; value < KSR_VALUE_COUNT; value++) {
		cells[next++] = ksr_cell_bytes(change->values[0][value]);
		cells[next++] = ksr_cell_bytes(change->values[1][value]);
		cells[next++] = ksr_cell_change(ksr_change_of_value(change, (enum ksr_value)value));
	}
	return next;
}

static struct ksr_cell text_cell(const char *text)
{
	return ksr_cell_text(text[0] ? text : NULL);
}

/* --- totals and groups --------------------------------------------------------------- */

static void total_row(struct ksr_emitter *emitter, const char *name, const uint64_t values[2])
{
	struct ksr_cell cells[] = {
		ksr_cell_text(name),
		ksr_cell_bytes(values[0]),
		ksr_cell_bytes(values[1]),
		ksr_cell_change(ksr_change_of(values)),
	};

	ksr_emitter_row(emitter, cells);
}

static void render_totals(const struct ksr_comparison *comparison, struct ksr_emitter *emitter)
{
	uint64_t store[2] = {0, 0};

	ksr_emitter_table_begin(emitter, "totals", total_columns, KSM_COUNT_OF(total_columns));
	for (int value = 0; value < KSR_VALUE_COUNT; value++)
		total_row(emitter, ksr_value_key((enum ksr_value)value),
			  (const uint64_t[]){comparison->pictures[0]->values[value],
					     comparison->pictures[1]->values[value]});
	for (int side = 0; side < 2; side++) {
		for (uint32_t i = 0; i < comparison->pictures[side]->group_count; i++)
			store[side] += ksr_picture_saved_by_store(&comparison->pictures[side]->groups[i]);
	}
	total_row(emitter, "saved_by_store", store);
	ksr_emitter_table_end(emitter);
}

static void render_groups(const struct ksr_comparison *comparison, struct ksr_emitter *emitter)
{
	ksr_emitter_table_begin(emitter, "groups", group_columns, KSM_COUNT_OF(group_columns));
	for (size_t i = 0; i < comparison->group_count; i++) {
		const struct ksr_change *change = &comparison->groups[i];
		struct ksr_cell cells[KSM_COUNT_OF(group_columns)] = {
			ksr_cell_change(ksr_change_of_value(change, KSR_VALUE_PRIVATE)),
			ksr_cell_change(ksr_change_of_value(change, KSR_VALUE_HELD)),
			ksr_cell_change(ksr_change_of_value(change, KSR_VALUE_SAVED)),
			ksr_cell_change(ksr_change_of_value(change, KSR_VALUE_SHARED)),
			ksr_cell_count(change->processes[0]),
			ksr_cell_count(change->processes[1]),
			text_cell(change->group),
			ksr_cell_text(change->layout),
		};

		put_values(cells + KSM_COUNT_OF(group_columns) - VALUE_CELLS, change);
		ksr_emitter_row(emitter, cells);
	}
	ksr_emitter_table_end(emitter);
}

/* --- origins ------------------------------------------------------------------------- */

static const char *state_word(const struct ksr_change *change)
{
	if (!change->origins[0])
		return "new";
	return change->origins[1] ? "in both" : "gone";
}

static bool has_changed(const struct ksr_change *change)
{
	for (int value = 0; value < KSR_VALUE_COUNT; value++) {
		if (change->values[0][value] != change->values[1][value])
			return true;
	}
	return false;
}

static void render_origins(const struct ksr_comparison *comparison, uint64_t top, struct ksr_emitter *emitter)
{
	size_t changed = 0;

	ksr_emitter_table_begin(emitter, "origins", origin_columns, KSM_COUNT_OF(origin_columns));
	for (size_t i = 0; i < comparison->origin_count; i++) {
		const struct ksr_change *change = &comparison->origins[i];
		struct ksr_cell cells[KSM_COUNT_OF(origin_columns)] = {
			ksr_cell_change(ksr_change_of_value(change, KSR_VALUE_PRIVATE)),
			ksr_cell_change(ksr_change_of_value(change, KSR_VALUE_HELD)),
			ksr_cell_change(ksr_change_of_value(change, KSR_VALUE_SAVED)),
			ksr_cell_change(ksr_change_of_value(change, KSR_VALUE_SHARED)),
			ksr_cell_text(state_word(change)),
			text_cell(change->group),
			ksr_cell_text(change->layout),
			text_cell(change->program),
			ksr_cell_count(change->processes[0]),
			ksr_cell_count(change->processes[1]),
			ksr_cell_text(change->name),
		};

		if (!has_changed(change) || (top && changed++ >= top))
			continue;
		put_values(cells + KSM_COUNT_OF(origin_columns) - VALUE_CELLS, change);
		ksr_emitter_row(emitter, cells);
	}
	ksr_emitter_table_end(emitter);
	if (top && changed > top)
		ksr_emitter_note(emitter, "%" PRIu64 " more origins have changed (--top).", changed - top);
}

static int compare_unshared(const void *left, const void *right)
{
	const struct ksr_change *a = *(const struct ksr_change *const *)left;
	const struct ksr_change *b = *(const struct ksr_change *const *)right;
	uint64_t x = ksr_change_unshared(a);
	uint64_t y = ksr_change_unshared(b);

	if (x != y)
		return x > y ? -1 : 1;
	return a < b ? -1 : a > b;
}

static void unshared_row(struct ksr_emitter *emitter, const struct ksr_change *change)
{
	struct ksr_cell cells[] = {
		ksr_cell_bytes(ksr_change_unshared(change)),
		ksr_cell_change(ksr_change_of_value(change, KSR_VALUE_MERGED)),
		ksr_cell_change(ksr_change_of_value(change, KSR_VALUE_SHARED)),
		ksr_cell_change(ksr_change_of_value(change, KSR_VALUE_HELD)),
		text_cell(change->group),
		ksr_cell_text(change->layout),
		text_cell(change->program),
		ksr_cell_text(change->name),
	};

	ksr_emitter_row(emitter, cells);
}

static void render_unshared(const struct ksr_comparison *comparison, uint64_t top, struct ksr_emitter *emitter)
{
	const struct ksr_change **list = calloc(comparison->origin_count + 1, sizeof(*list));
	size_t count = 0;

	for (size_t i = 0; list && i < comparison->origin_count; i++) {
		if (ksr_change_unshared(&comparison->origins[i]))
			list[count++] = &comparison->origins[i];
	}
	if (count)
		qsort(list, count, sizeof(*list), compare_unshared);
	ksr_emitter_table_begin(emitter, "unshared", unshared_columns, KSM_COUNT_OF(unshared_columns));
	for (size_t i = 0; i < count && (!top || i < top); i++)
		unshared_row(emitter, list[i]);
	ksr_emitter_table_end(emitter);
	free(list);
}

/* Fewer processes have less: that is no change of the program. */
static void say_processes(const struct ksr_comparison *comparison, struct ksr_emitter *emitter)
{
	uint64_t processes[2] = {0, 0};

	for (size_t i = 0; i < comparison->group_count; i++) {
		processes[0] += comparison->groups[i].processes[0];
		processes[1] += comparison->groups[i].processes[1];
	}
	if (processes[0] != processes[1])
		ksr_emitter_note(emitter, "Sums of %" PRIu64 " processes are compared with sums of %" PRIu64 ".",
				 processes[0], processes[1]);
}

static void render_times(const struct ksr_comparison *comparison, struct ksr_emitter *emitter)
{
	uint64_t before = comparison->pictures[0]->time;
	uint64_t after = comparison->pictures[1]->time;
	uint64_t apart = after > before ? after - before : before - after;

	ksr_emitter_section_begin(emitter, "compared");
	ksr_emitter_value(emitter, "before_seconds", NULL, ksr_cell_count(before));
	ksr_emitter_value(emitter, "after_seconds", NULL, ksr_cell_count(after));
	ksr_emitter_section_end(emitter);
	if (after < before)
		ksr_emitter_note(emitter, "The first report is the later one: what it calls before was made %" PRIu64
					  " s after the other.", apart);
}

void ksr_render_comparison(struct ksr_comparison *comparison, const struct ksr_compare_options *options,
			   struct ksr_emitter *emitter)
{
	bool changed = false;

	ksr_comparison_sort(comparison, options->sort);
	render_origins(comparison, options->top, emitter);
	render_unshared(comparison, options->top, emitter);
	render_groups(comparison, emitter);
	render_totals(comparison, emitter);
	render_times(comparison, emitter);
	say_processes(comparison, emitter);
	for (size_t i = 0; i < comparison->origin_count && !changed; i++)
		changed = has_changed(&comparison->origins[i]);
	if (!changed)
		ksr_emitter_note(emitter, "Nothing has changed.");
}
