/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Four tables: where the difference may have begun, where pages differ, for which reasons, and
 * which variables of files it is (diff/places.c has the first and the last). All figures are
 * pages or words, since a page is what merges.
 */
#define _GNU_SOURCE
#include "diff/render.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "diff/events.h"
#include "diff/places.h"
#include "pages/sum.h"

/* --- rows ------------------------------------------------------------------------------ */

#define SHARED_COLUMN 3 /* in text only where a process has a store */

static const struct ksr_column row_columns[] = {
	{"both", "BOTH"},	    {"equal", "EQUAL"},	      {"equal_percent", "%"},
	{"shared", "SHARED"},	    {"merged", "MERGED"},     {"forked", NULL},
	{"zero", NULL},
	{"elsewhere", "ELSEWHERE"}, {"pointers", "POINTERS"}, {"words", "WORDS"},
	{"shifted", "SHIFTED"},	    {"other", "OTHER"},	      {"only_first", "ONLY 1"},
	{"only_second", "ONLY 2"},  {"only_elsewhere", NULL}, {"moved", NULL},
	{"swapped", NULL},	    {"kind", NULL},	      {"id", NULL},
	{"site", "SITE OR REGION"},
};

static void emit_row(const struct ksr_diff *diff, const struct ksr_diff_row *row, const char *name,
		     struct ksr_emitter *emitter)
{
	const struct ksr_diff_counts *counts = &row->counts;
	struct ksr_cell unknown = {.kind = KSR_CELL_NONE};
	bool told = diff->has_frames && diff->flags_tell;
	char id[24] = "";
	struct ksr_cell cells[] = {
		ksr_cell_count(counts->both),
		ksr_cell_count(counts->equal),
		ksr_cell_percent(counts->equal, counts->both),
		ksr_cell_count(counts->shared),
		told ? ksr_cell_count(counts->merged) : unknown,
		told ? ksr_cell_count(counts->forked) : unknown,
		ksr_cell_count(counts->zero),
		ksr_cell_count(counts->elsewhere_pairs),
		ksr_cell_count(counts->pointers),
		ksr_cell_count(counts->words),
		ksr_cell_count(counts->shifted),
		ksr_cell_count(counts->other),
		ksr_cell_count(counts->only_first),
		ksr_cell_count(counts->only_second),
		ksr_cell_count(counts->elsewhere_single),
		ksr_cell_count(counts->moved),
		ksr_cell_count(counts->swapped),
		ksr_cell_text(ksr_region_kind_name(row->kind)),
		ksr_cell_text(id),
		ksr_cell_text(name),
	};

	if (row->kind == KSR_REGION_SITE)
		snprintf(id, sizeof(id), "%012" PRIx64, row->id);
	ksr_emitter_row(emitter, cells);
}

static uint64_t row_pages(const struct ksr_diff_counts *counts)
{
	return counts->both + counts->only_first + counts->only_second;
}

static int compare_rows(const void *left, const void *right)
{
	const struct ksr_diff_row *a = *(const struct ksr_diff_row *const *)left;
	const struct ksr_diff_row *b = *(const struct ksr_diff_row *const *)right;
	uint64_t x = row_pages(&a->counts) - a->counts.equal;
	uint64_t y = row_pages(&b->counts) - b->counts.equal;

	if (x != y)
		return x > y ? -1 : 1;
	if (a->counts.both != b->counts.both)
		return a->counts.both > b->counts.both ? -1 : 1;
	return a < b ? -1 : a > b;
}

static bool has_store(const struct ksr_space *space)
{
	for (size_t i = 0; i < space->range_count; i++) {
		if (space->ranges[i].store)
			return true;
	}
	return false;
}

static void render_rows(const struct ksr_diff *diff, const struct ksr_diff_names *names,
			struct ksr_emitter *emitter)
{
	const struct ksr_diff_row **order = calloc(diff->row_count + 1, sizeof(*order));
	struct ksr_column columns[KSM_COUNT_OF(row_columns)];
	size_t count = 0;

	memcpy(columns, row_columns, sizeof(columns));
	if (!has_store(diff->spaces[0]) && !has_store(diff->spaces[1]))
		columns[SHARED_COLUMN].title = NULL;
	ksr_emitter_table_begin(emitter, "rows", columns, KSM_COUNT_OF(columns));
	for (size_t i = 0; order && i < diff->row_count; i++) {
		if (row_pages(&diff->rows[i].counts))
			order[count++] = &diff->rows[i];
	}
	if (count)
		qsort(order, count, sizeof(*order), compare_rows);
	for (size_t i = 0; i < count; i++)
		emit_row(diff, order[i], names->rows[order[i] - diff->rows], emitter);
	ksr_emitter_table_end(emitter);
	free(order);
}

/* --- reasons ------------------------------------------------------------------------------ */

/* What stands beside the words: the type of an object, where many have one pointer in common. */
static void put_things(struct ksr_data_symbols *data, const struct ksr_diff_cause *cause,
		       FILE *stream)
{
	bool used[KSR_DIFF_TYPES] = {false};
	bool first = true;

	for (int round = 0; round < 3; round++) {
		struct ksr_variable variable;
		size_t best = 0;

		for (size_t i = 1; i < KSR_DIFF_TYPES; i++) {
			if (!used[i] &&
			    (used[best] || cause->types[i].count > cause->types[best].count))
				best = i;
		}
		if (used[best] || cause->types[best].count * 20 < cause->typed ||
		    cause->types[best].count == 0)
			break;
		used[best] = true;
		if (!ksr_data_symbol(data, cause->types[best].address, &variable))
			continue;
		fprintf(stream, "%s%s", first ? "beside pointers to " : ", ", variable.name);
		if (variable.offset)
			fprintf(stream, "+0x%" PRIx64, variable.offset);
		first = false;
	}
}

static void put_variable(struct ksr_data_symbols *data, uint64_t address, FILE *stream)
{
	struct ksr_variable variable;
	char type[KSR_VARIABLE_BYTES];

	if (!ksr_data_symbol(data, address, &variable))
		return;
	fputs(variable.name, stream);
	if (variable.offset)
		fprintf(stream, "+0x%" PRIx64, variable.offset);
	ksr_data_type(data, address, type);
	if (type[0])
		fprintf(stream, " (%s)", type);
}

/* The thing that the example belongs to: a variable, or an object that points to its type. */
static char *thing_text(const struct ksr_diff *diff, struct ksr_diff_names *names,
			const struct ksr_diff_cause *cause)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);

	if (!stream)
		return NULL;
	if (diff->rows[cause->row].kind != KSR_REGION_FILE)
		put_things(names->data, cause, stream);
	else if (cause->cause < KSR_CAUSE_ZERO_PAGE)
		put_variable(names->data, cause->example, stream);
	if (fclose(stream)) {
		free(text);
		return NULL;
	}
	return text;
}

/* The place in the page that has most words, and its share. */
static uint64_t common_position(const struct ksr_diff *diff, const struct ksr_diff_cause *cause,
				uint64_t *share)
{
	size_t words = diff->spaces[0]->page_bytes / 8;
	size_t best = 0;

	for (size_t i = 1; i < words; i++) {
		if (cause->positions[i] > cause->positions[best])
			best = i;
	}
	*share = ksr_diff_scaled(cause->positions[best], &diff->rows[cause->row]);
	return 8 * best;
}

/* Words that hold the value that occurs most, when that is most of them, else 0. */
static uint64_t repeated_words(const struct ksr_diff *diff, const struct ksr_diff_cause *cause)
{
	uint64_t most = 0;

	if (cause->cause != KSR_CAUSE_VALUE && cause->cause != KSR_CAUSE_NOISE)
		return 0;
	for (size_t i = 0; i < KSR_DIFF_TYPES; i++)
		most = ksm_max(most, cause->values[i].count);
	most = ksr_diff_scaled(most, &diff->rows[cause->row]);
	return most >= 8 && most * 2 >= cause->words ? most : 0;
}

static const struct ksr_column cause_columns[] = {
	{"pages", "PAGES"}, {"alone", "ALONE"},	      {"words", "WORDS"},	  {"reason", NULL},
	{"target", NULL},   {"text", "REASON"},	      {"site", "SITE OR REGION"}, {"example", NULL},
	{"position", NULL}, {"position_words", NULL}, {"repeated_words", NULL},	  {"thing", NULL},
	{"detail", ""},
};

/* The line below a reason: an example, where in the page, what it belongs to. */
static void put_detail(const struct ksr_diff *diff, const struct ksr_diff_cause *cause,
		       const char *example, uint64_t position, uint64_t share, const char *thing,
		       char *text, size_t bytes)
{
	uint64_t repeated = repeated_words(diff, cause);
	char place[96] = "";
	char pointers[64] = "";
	char same[96] = "";

	if (share > 1 && share * 10 >= cause->words)
		snprintf(place, sizeof(place), "; %" PRIu64 " words at 0x%03" PRIx64 " of the page",
			 share, position);
	if (repeated)
		snprintf(same, sizeof(same),
			 "; %" PRIu64 " words hold one value: a key, seed or id of each process",
			 repeated);
	if (cause->cause == KSR_CAUSE_OTHER && cause->words)
		snprintf(pointers, sizeof(pointers), "; %" PRIu64 " %% of the words are pointers",
			 100 * cause->pointers / cause->words);
	snprintf(text, bytes, "e.g. %s%s%s%s%s%s", example, place, same, pointers,
		 thing && thing[0] ? "; " : "", thing ? thing : "");
}

static const char *target_kind(const struct ksr_diff *diff, const struct ksr_diff_cause *cause)
{
	if (cause->target == KSR_REGION_NONE)
		return NULL;
	return ksr_region_kind_name(diff->spaces[0]->regions[cause->target].kind);
}

static void emit_cause(const struct ksr_diff *diff, struct ksr_diff_names *names,
		       const struct ksr_diff_cause *cause, struct ksr_emitter *emitter)
{
	bool has_words = cause->cause < KSR_CAUSE_ZERO_PAGE;
	uint64_t share = 0;
	uint64_t position = has_words ? common_position(diff, cause, &share) : 0;
	char *thing = thing_text(diff, names, cause);
	char example[32];
	char text[512];
	char detail[640];
	const char *lines[] = {detail};

	ksr_diff_cause_text(diff, names, cause, text, sizeof(text));
	snprintf(example, sizeof(example), "0x%" PRIx64, cause->example);
	put_detail(diff, cause, example, position, share, thing, detail, sizeof(detail));
	struct ksr_cell none = {.kind = KSR_CELL_NONE};
	struct ksr_cell cells[] = {
		ksr_cell_count(cause->pages),
		ksr_cell_count(cause->alone),
		ksr_cell_count(cause->words),
		ksr_cell_text(ksr_cause_key(cause->cause)),
		ksr_cell_text(target_kind(diff, cause)),
		ksr_cell_text(text),
		ksr_cell_text(names->rows[cause->row]),
		ksr_cell_text(example),
		has_words ? ksr_cell_count(position) : none,
		has_words ? ksr_cell_count(share) : none,
		has_words ? ksr_cell_count(repeated_words(diff, cause)) : none,
		ksr_cell_text(thing && thing[0] ? thing : NULL),
		ksr_cell_list(lines, 1),
	};

	ksr_emitter_row(emitter, cells);
	free(thing);
}

static void render_causes(const struct ksr_diff *diff, struct ksr_diff_names *names, uint64_t top,
			  struct ksr_emitter *emitter)
{
	size_t count;
	const struct ksr_diff_cause **causes = ksr_diff_causes(diff, &count);
	size_t shown = (size_t)ksm_min(count, top);

	ksr_emitter_table_begin(emitter, "reasons", cause_columns, KSM_COUNT_OF(cause_columns));
	for (size_t i = 0; i < shown; i++)
		emit_cause(diff, names, causes[i], emitter);
	ksr_emitter_table_end(emitter);
	if (shown < count)
		ksr_emitter_note(emitter, "%zu more reasons are not shown (--top).", count - shown);
	free(causes);
}

/* --- the whole ------------------------------------------------------------------------------- */

static void render_totals(const struct ksr_diff *diff, struct ksr_emitter *emitter)
{
	static const struct {
		const char *key;
		const char *title;
		size_t offset;
	} lines[] = {
#define LINE(field) offsetof(struct ksr_diff_counts, field)
		{"both", "pages in both processes", LINE(both)},
		{"equal", "equal, would merge", LINE(equal)},
		{"zero", "of these all zero", LINE(zero)},
		{"elsewhere", "equal to a page at another place", LINE(elsewhere_pairs)},
		{"pointers", "differ in pointers", LINE(pointers)},
		{"words", "differ in few words", LINE(words)},
		{"shifted", "shifted content", LINE(shifted)},
		{"other", "simply different", LINE(other)},
		{"moved", "of these only in another order", LINE(moved)},
		{"only_first", "in the first process only", LINE(only_first)},
		{"only_second", "in the second process only", LINE(only_second)},
		{"swapped", "swapped out, not compared", LINE(swapped)},
#undef LINE
	};

	ksr_emitter_section_begin(emitter, "totals");
	for (size_t i = 0; i < KSM_COUNT_OF(lines); i++) {
		uint64_t sum = 0;

		for (size_t k = 0; k < diff->row_count; k++) {
			uint64_t part;

			memcpy(&part, (const char *)&diff->rows[k].counts + lines[i].offset,
			       sizeof(part));
			sum += part;
		}
		ksr_emitter_value(emitter, lines[i].key, lines[i].title, ksr_cell_count(sum));
	}
	ksr_emitter_value(emitter, "page_bytes", "bytes of a page",
			  ksr_cell_bytes(diff->spaces[0]->page_bytes));
	ksr_emitter_value(emitter, "same_layout", "equal address layouts",
			  ksr_cell_bool(diff->moved_regions == 0));
	ksr_emitter_section_end(emitter);
}

static bool is_sampled(const struct ksr_diff *diff)
{
	for (size_t i = 0; i < diff->row_count; i++) {
		if (diff->rows[i].looked < diff->rows[i].differing)
			return true;
	}
	return false;
}

static void render_notes(const struct ksr_diff *diff, struct ksr_emitter *emitter)
{
	bool blocks = false;

	if (diff->moved_regions)
		ksr_emitter_note(emitter,
				 "The two processes have different address layouts (%zu of %zu "
				 "regions lie elsewhere): run both with 'ksmalloc run "
				 "--layout=shared --group=NAME'. Pages were compared at equal "
				 "places of equal sites and files instead.",
				 diff->moved_regions, diff->compared_regions);
	for (size_t i = 0; i < diff->row_count; i++)
		blocks = blocks ||
			 (diff->rows[i].cause_count && diff->rows[i].kind != KSR_REGION_FILE &&
			  diff->rows[i].kind != KSR_REGION_SITE);
	if (blocks)
		ksr_emitter_note(emitter, "Of other memory than that of sites and files nothing tells what a block "
					  "is, nor its size; only pointers beside it may.");
	if (!diff->has_frames)
		ksr_emitter_note(emitter, "Which equal pages are merged already is known to root "
					  "only.");
	else if (!diff->flags_tell)
		ksr_emitter_note(emitter,
				 "This kernel's /proc/kpageflags calls all anonymous pages "
				 "KSM's: which equal pages are merged already is unknown.");
	if (is_sampled(diff))
		ksr_emitter_note(emitter,
				 "Of rows with more than %d pages that differ some were "
				 "looked into; the figures are scaled.",
				 KSR_DIFF_LOOK_MOST);
	if (diff->unlooked)
		ksr_emitter_note(emitter, "Mappings above 1 TiB were not looked at.");
}

void ksr_diff_render(const struct ksr_diff *diff, struct ksr_diff_names *names, uint64_t top,
		     struct ksr_emitter *emitter)
{
	ksr_diff_render_first(diff, names, top, emitter);
	ksr_diff_render_events(diff, names, top, emitter);
	render_rows(diff, names, emitter);
	render_causes(diff, names, top, emitter);
	ksr_diff_render_named(diff, names, top, emitter);
	render_totals(diff, emitter);
	render_notes(diff, emitter);
}
