/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of single places: content that is not merely moved, and variables of files. */
#define _GNU_SOURCE
#include "diff/places.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pages/first.h"

/* --- first differences -------------------------------------------------------------------- */

static const struct ksr_column first_columns[] = {
	{"address", "AT"},     {"text", "FIRST DIFFERENCE"}, {"site", "SITE OR REGION"},
	{"kind", NULL},	       {"only_first", NULL},	     {"only_second", NULL},
	{"bytes_first", NULL}, {"bytes_second", NULL},	     {"thing", NULL},
	{"detail", ""},
};

static const char *kind_of(const struct ksr_diff_place *place)
{
	if (place->is_entry)
		return "entry_name";
	return place->is_text ? "text" : place->is_time ? "time" : "number";
}

bool ksr_diff_place_detail(struct ksr_diff_names *names, const struct ksr_diff_row *row,
			   const struct ksr_diff_place *place, struct ksr_variable *variable,
			   char *detail, size_t bytes)
{
	uint64_t named = row->kind == KSR_REGION_FILE ? place->address : place->type;
	bool known = named && ksr_data_symbol(names->data, named, variable);

	snprintf(detail, bytes, "%s%s%s%s",
		 place->is_entry ? "the name of an entry of a folder that it looks into" : "",
		 place->is_entry && known ? "; " : "",
		 !known			? ""
		 : named == place->type ? "beside a pointer to "
					: "in ",
		 known ? variable->name : "");
	return known;
}

static void emit_first(const struct ksr_diff *diff, struct ksr_diff_names *names,
		       const struct ksr_first_place *entry, struct ksr_emitter *emitter)
{
	const struct ksr_diff_place *place = entry->place;
	struct ksr_cell none = {.kind = KSR_CELL_NONE};
	struct ksr_variable variable;
	char address[32];
	char text[256];
	char detail[KSR_VARIABLE_BYTES + 96];
	bool known =
		ksr_diff_place_detail(names, entry->row, place, &variable, detail, sizeof(detail));
	const char *lines[] = {detail};

	snprintf(address, sizeof(address), "0x%" PRIx64, place->address);
	ksr_place_text(place, text, sizeof(text));
	struct ksr_cell cells[] = {
		ksr_cell_text(address),
		ksr_cell_text(text),
		ksr_cell_text(names->rows[entry->row - diff->rows]),
		ksr_cell_text(kind_of(place)),
		ksr_cell_bool(place->only[0]),
		ksr_cell_bool(place->only[1]),
		place->is_text ? ksr_cell_count(place->bytes[0]) : none,
		place->is_text ? ksr_cell_count(place->bytes[1]) : none,
		ksr_cell_text(known ? variable.name : NULL),
		ksr_cell_list(lines, detail[0] ? 1 : 0),
	};

	ksr_emitter_row(emitter, cells);
}

void ksr_diff_render_first(const struct ksr_diff *diff, struct ksr_diff_names *names, uint64_t top,
			   struct ksr_emitter *emitter)
{
	size_t count;
	struct ksr_first_place *list = ksr_first_places(diff, &count);
	size_t total = 0;

	for (size_t i = 0; i < diff->row_count; i++)
		total += diff->rows[i].place_total;
	ksr_emitter_table_begin(emitter, "first", first_columns, KSM_COUNT_OF(first_columns));
	for (size_t i = 0; i < count && i < top; i++)
		emit_first(diff, names, &list[i], emitter);
	ksr_emitter_table_end(emitter);
	if (total > ksm_min(count, top))
		ksr_emitter_note(
			emitter,
			"%zu more places with content that the other process has nowhere are "
			"not shown (--top).",
			total - (size_t)ksm_min(count, top));
	free(list);
}

/* --- variables ---------------------------------------------------------------------------- */

struct named {
	struct ksr_variable variable;
	const struct ksr_diff_row *row;
	enum ksr_cause cause;
	uint32_t target;
	uint64_t words;
	uint64_t address;
};

static int compare_named(const void *left, const void *right)
{
	const struct named *a = left;
	const struct named *b = right;

	if (a->words != b->words)
		return a->words > b->words ? -1 : 1;
	return a->address < b->address ? -1 : a->address > b->address;
}

/* Words of one variable and one cause lie side by side: they were met by address. */
static size_t join_named(struct ksr_data_symbols *data, const struct ksr_diff_row *row,
			 struct named *list, size_t count)
{
	size_t first = count;

	for (size_t i = 0; i < row->named_count; i++) {
		const struct ksr_diff_named *word = &row->named[i];
		struct ksr_variable variable;
		size_t at = first;

		if (!ksr_data_symbol(data, word->address, &variable))
			continue;
		/* A structure has words of several causes: look back over its own only. */
		for (at = count; at > first; at--) {
			if (strcmp(list[at - 1].variable.name, variable.name) != 0) {
				at = first;
				break;
			}
			if (list[at - 1].cause == word->cause &&
			    list[at - 1].target == word->target)
				break;
		}
		if (at > first) {
			list[at - 1].words++;
			continue;
		}
		list[count++] =
			(struct named){variable, row, word->cause, word->target, 1, word->address};
	}
	return count;
}

static const struct ksr_column named_columns[] = {
	{"words", "WORDS"},	  {"reason", NULL}, {"text", "REASON"},
	{"variable", "VARIABLE"}, {"type", "TYPE"}, {"file", "FILE"},
};

static void emit_named(const struct ksr_diff *diff, struct ksr_diff_names *names,
		       const struct named *named, struct ksr_emitter *emitter)
{
	const struct ksr_diff_cause cause = {.cause = named->cause, .target = named->target};
	char type[KSR_VARIABLE_BYTES];
	char text[512];
	struct ksr_cell cells[] = {
		ksr_cell_count(named->words), ksr_cell_text(ksr_cause_key(named->cause)),
		ksr_cell_text(text),	      ksr_cell_text(named->variable.name),
		{.kind = KSR_CELL_NONE},      ksr_cell_text(names->rows[named->row - diff->rows]),
	};

	ksr_data_type(names->data, named->address, type);
	ksr_diff_cause_text(diff, names, &cause, text, sizeof(text));
	cells[4] = ksr_cell_text(type[0] ? type : NULL);
	ksr_emitter_row(emitter, cells);
}

void ksr_diff_render_named(const struct ksr_diff *diff, struct ksr_diff_names *names, uint64_t top,
			   struct ksr_emitter *emitter)
{
	struct named *list = NULL;
	size_t room = 0;
	size_t count = 0;

	for (size_t i = 0; i < diff->row_count; i++)
		room += diff->rows[i].named_count;
	list = room ? calloc(room, sizeof(*list)) : NULL;
	for (size_t i = 0; list && i < diff->row_count; i++)
		count = join_named(names->data, &diff->rows[i], list, count);
	if (count)
		qsort(list, count, sizeof(*list), compare_named);
	ksr_emitter_table_begin(emitter, "variables", named_columns, KSM_COUNT_OF(named_columns));
	for (size_t i = 0; i < count && i < top; i++)
		emit_named(diff, names, &list[i], emitter);
	ksr_emitter_table_end(emitter);
	if (count > top)
		ksr_emitter_note(emitter, "%zu more variables are not shown (--top).",
				 count - (size_t)top);
	free(list);
}
