/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sentences are for text only: JSON and CSV have their figures in tables and sections.
 */
#define _GNU_SOURCE
#include "show/screen.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "judge/explain.h"
#include "names/human.h"

/* Rows that are shown unless asked for others: so many at most, and what makes up the rest is one line. */
#define ROWS_MOST 20
/* A row of less than one part in so many is not worth a line. */
#define WORTH 200
/* How far off samples are is worth a column if it is more of some row. */
#define ERROR_PERCENT 3

/* --- what is needed -------------------------------------------------------------------------- */

static void say_needs(const char *who, const struct ksr_balance *sum, const char *hopeless, struct ksr_emitter *emitter)
{
	uint64_t without = ksr_balance_without(sum);
	uint64_t saved = ksr_balance_saved(sum);
	char needs[KSR_HUMAN_BYTES];
	char all[KSR_HUMAN_BYTES];
	char less[KSR_HUMAN_BYTES];

	ksr_human_bytes(sum->needs, needs);
	ksr_human_bytes(without, all);
	ksr_human_bytes(saved, less);
	if (hopeless) {
		ksr_emitter_say(emitter, "%s %s, and nothing of it can merge or be shared: %s.", who, needs, hopeless);
		return;
	}
	ksr_emitter_say(emitter, "%s %s; without merging and sharing it would be %s: %s saved (%.0f %%).", who, needs, all,
			less, without ? 100.0 * (double)saved / (double)without : 0.0);
}

/* The first line: of one group by its name. */
static void render_headline(const struct ksr_balances *balances, const struct ksr_outlook *outlook,
			    struct ksr_emitter *emitter)
{
	const struct ksr_balance *total = &balances->total;
	const char *hopeless = outlook->is_hopeless ? outlook->why_hopeless : NULL;
	const char *group = balances->count ? balances->kinds[0].group : "";
	bool is_one = group[0] != '\0';
	char who[128];

	for (size_t i = 0; i < balances->count; i++)
		is_one = is_one && strcmp(balances->kinds[i].group, group) == 0;
	if (is_one)
		snprintf(who, sizeof(who), "%s needs", group);
	else if (total->processes == 1)
		snprintf(who, sizeof(who), "This process needs");
	else
		snprintf(who, sizeof(who), "These %" PRIu64 " processes need", total->processes);
	if (total->processes)
		say_needs(who, total, hopeless, emitter);
}

static void render_summary(const struct ksr_balance *total, const struct ksr_outlook *outlook,
			   struct ksr_emitter *emitter)
{
	struct {
		const char *key;
		uint64_t bytes;
	} const figures[] = {
		{"needs", total->needs},
		{"without", ksr_balance_without(total)},
		{"saved", ksr_balance_saved(total)},
		{"saved_by_merging", total->merged},
		{"saved_by_sharing", total->shared},
		{"saved_by_fork", total->forked},
		{"pss", total->pss},
		{"untouched", total->untouched},
		{"mergeable", total->mergeable},
		{"own", total->own},
		{"files", total->files},
		{"shared_mappings", total->mapped},
	};
	const struct ksr_engine *engines[] = {&outlook->merging, &outlook->sharing};
	static const char *const keys[][2] = {{"merging_state", "merging_seconds"}, {"sharing_state", "sharing_seconds"}};
	struct ksr_cell none = {.kind = KSR_CELL_NONE};

	ksr_emitter_section_begin(emitter, "summary");
	for (size_t i = 0; i < KSM_COUNT_OF(figures); i++)
		ksr_emitter_value(emitter, figures[i].key, NULL, ksr_cell_bytes(figures[i].bytes));
	for (size_t i = 0; i < KSM_COUNT_OF(engines); i++) {
		ksr_emitter_value(emitter, keys[i][0], NULL, ksr_cell_text(ksr_engine_key(engines[i]->state)));
		ksr_emitter_value(emitter, keys[i][1], NULL,
				  engines[i]->seconds == KSR_NONE ? none : ksr_cell_count(engines[i]->seconds));
	}
	ksr_emitter_value(emitter, "hopeless", NULL, ksr_cell_bool(outlook->is_hopeless));
	ksr_emitter_section_end(emitter);
}

/* Where there is no room for names, a way of saving by which nothing is saved has no column, then fork has none. */
static void spare_kinds(const struct ksr_balances *balances, struct ksr_emitter *emitter)
{
	const struct ksr_balance *total = &balances->total;
	const char *keys[3];
	size_t count = 0;

	if (total->merged == 0)
		keys[count++] = "saved_by_merging";
	if (total->shared == 0)
		keys[count++] = "saved_by_sharing";
	keys[count++] = "saved_by_fork";
	ksr_emitter_spare(emitter, keys, count);
}

static void render_kinds(const struct ksr_balances *balances, struct ksr_emitter *emitter)
{
	static const struct ksr_column columns[] = {
		{"processes", "PROCESSES"}, {"needs", "NEED"}, {"without", "WITHOUT"}, {"saved_by_merging", "MERGED"},
		{"saved_by_sharing", "SHARED"}, {"saved_by_fork", "FORK"}, {"pss", NULL}, {"group", NULL}, {"role", NULL},
		{"program", NULL}, {"container", NULL}, {"name", "WHO"},
	};

	ksr_emitter_table_begin(emitter, "kinds", columns, KSM_COUNT_OF(columns));
	spare_kinds(balances, emitter);
	for (size_t i = 0; i < balances->count; i++) {
		const struct ksr_kind *kind = &balances->kinds[i];
		const struct ksr_balance *balance = &kind->balance;
		const char *role = ksr_role_word(kind->role);
		char name[192];
		struct ksr_cell cells[] = {
			ksr_cell_count(balance->processes), ksr_cell_bytes(balance->needs),
			ksr_cell_bytes(ksr_balance_without(balance)), ksr_cell_bytes(balance->merged),
			ksr_cell_bytes(balance->shared), ksr_cell_bytes(balance->forked), ksr_cell_bytes(balance->pss),
			ksr_cell_text(kind->group[0] ? kind->group : NULL), ksr_cell_text(role),
			ksr_cell_text(kind->command), ksr_cell_text(kind->container[0] ? kind->container : NULL),
			ksr_cell_text(name),
		};

		snprintf(name, sizeof(name), "%s%s%s (%s%s)%s%s", kind->group, kind->group[0] ? ": " : "", kind->command,
			 role, balance->processes == 1 ? "" : kind->role == KSR_ROLE_PROCESS ? "es" : "s",
			 kind->container[0] ? " in container " : "", kind->container);
		ksr_emitter_row(emitter, cells);
	}
	ksr_emitter_table_end(emitter);
}

static void render_outlook(const struct ksr_outlook *outlook, struct ksr_emitter *emitter)
{
	static const struct ksr_column columns[] = {
		{"bytes", "UP TO"}, {"text", NULL}, {"command", NULL}, {"proposal", "COULD BE SAVED BESIDES"},
	};

	ksr_emitter_say(emitter, "%s", outlook->merging.text);
	if (outlook->sharing.text[0])
		ksr_emitter_say(emitter, "%s", outlook->sharing.text);
	ksr_emitter_table_begin(emitter, "proposals", columns, KSM_COUNT_OF(columns));
	for (size_t i = 0; i < outlook->proposal_count; i++) {
		const struct ksr_proposal *proposal = &outlook->proposals[i];
		char text[2 * KSR_OUTLOOK_BYTES + 8];
		struct ksr_cell cells[] = {
			ksr_cell_bytes(proposal->bytes), ksr_cell_text(proposal->text), ksr_cell_text(proposal->command),
			ksr_cell_sentence(text),
		};

		snprintf(text, sizeof(text), "%s: %s", proposal->text, proposal->command);
		ksr_emitter_row(emitter, cells);
	}
	ksr_emitter_table_end(emitter);
}

/* --- places ------------------------------------------------------------------------------------ */

static const struct ksr_column place_columns[] = {
	{"saved", "SAVED"}, {"held", "OF"}, {"held_error", NULL}, {"held_error_percent", "+/-"}, {"saved_percent", "%"}, {"saved_by_merging", NULL}, {"saved_by_sharing", NULL},
	{"saved_by_fork", "FORK"}, {"live", NULL}, {"live_error", NULL}, {"resident", NULL}, {"processes", NULL},
	{"stacks", "STACKS"}, {"what", "WHAT"}, {"language", NULL}, {"file", NULL}, {"module", NULL}, {"id", NULL},
	{"name", "WHERE"}, {"frames", "FRAMES"}, {"why", "WHY"},
};

/* What text leaves out where a line has no room for names. */
static const char *const spare_columns[] = {"held_error_percent", "stacks", "saved_by_fork", "what"};

/* What a row points to while it is given away. */
struct row {
	struct ksr_cell cells[KSM_COUNT_OF(place_columns)];
	char id[24];
	char **frames;
	size_t frame_count;
	const char *reasons[KSR_REASONS_MOST];
	size_t reason_count;
};

/* The rows that are shown, and why they merge little. */
struct shown {
	const struct ksr_report *report;
	const struct ksr_screen_options *options;
	struct ksr_places places;
	size_t count;
	struct ksr_reasons *why; /* of each; NULL: not asked for */
	struct ksr_reasons common;
};

static void fill_frames(struct row *row, const struct ksr_stack *stack, uint64_t most)
{
	size_t count = stack ? (size_t)ksm_min(stack->count, most) : 0;

	row->frames = count ? calloc(count, sizeof(*row->frames)) : NULL;
	for (size_t i = 0; row->frames && i < count; i++) {
		const struct ksr_line *line = &stack->lines[i];

		if (asprintf(&row->frames[i], "%s%s%s%s  [%s]", line->function, line->place[0] ? " (" : "", line->place,
			     line->place[0] ? ")" : "", line->module) < 0)
			break;
		row->frame_count++;
	}
}

static const struct ksr_site *site_of(const struct ksr_report *report, const struct ksr_place *place)
{
	if (!place->largest || !place->largest->is_site)
		return NULL;
	for (size_t i = 0; i < report->site_count; i++) {
		if (report->sites[i].id == place->largest->id)
			return &report->sites[i];
	}
	return NULL;
}

static bool has_reason(const struct ksr_reasons *reasons, const char *text)
{
	for (size_t i = 0; i < reasons->count; i++) {
		if (strcmp(reasons->text[i], text) == 0)
			return true;
	}
	return false;
}

/* What all rows have that merge little is said once. */
static void find_common(struct shown *shown)
{
	const struct ksr_reasons *first = NULL;
	size_t rows = 0;

	for (size_t i = 0; i < shown->count; i++) {
		first = first ? first : shown->why[i].count ? &shown->why[i] : NULL;
		rows += shown->why[i].count != 0;
	}
	for (size_t k = 0; first && rows > 1 && k < first->count; k++) {
		bool is_common = true;

		for (size_t i = 0; i < shown->count; i++)
			is_common = is_common && (shown->why[i].count == 0 || has_reason(&shown->why[i], first->text[k]));
		if (is_common)
			strcpy(shown->common.text[shown->common.count++], first->text[k]);
	}
}

static void explain(struct shown *shown)
{
	shown->why = shown->options->why ? calloc(shown->count + 1, sizeof(*shown->why)) : NULL;
	if (!shown->why)
		return;
	for (size_t i = 0; i < shown->count; i++) {
		const struct ksr_site *site = site_of(shown->report, &shown->places.rows[i]);

		if (site)
			ksr_explain_site(shown->report, site, &shown->why[i]);
	}
	find_common(shown);
}

static void fill_why(struct row *row, const struct shown *shown, const struct ksr_reasons *why)
{
	for (size_t i = 0; why && i < why->count; i++) {
		if (!has_reason(&shown->common, why->text[i]))
			row->reasons[row->reason_count++] = why->text[i];
	}
}

static void emit_place(const struct shown *shown, const struct ksr_place *place, const char *name,
		       const struct ksr_reasons *why, struct ksr_emitter *emitter)
{
	const struct ksr_stack *stack = place->stack;
	const struct ksr_line *line = stack && stack->count ? &stack->lines[stack->deciding] : NULL;
	uint64_t saved = ksm_min(place->merged + place->shared, place->held);
	struct row row = {0};
	size_t i = 0;

	if (place->largest)
		snprintf(row.id, sizeof(row.id), "%012" PRIx64, place->largest->id);
	if (shown->options->frames)
		fill_frames(&row, stack, shown->options->frames);
	fill_why(&row, shown, why);
	row.cells[i++] = ksr_cell_bytes(saved);
	row.cells[i++] = ksr_cell_bytes(place->held);
	row.cells[i++] = ksr_cell_bytes(place->held_error);
	row.cells[i++] = place->largest ? ksr_cell_percent(place->held_error, place->held) :
					  (struct ksr_cell){.kind = KSR_CELL_NONE};
	row.cells[i++] = ksr_cell_percent(saved, place->held);
	row.cells[i++] = ksr_cell_bytes(place->merged);
	row.cells[i++] = ksr_cell_bytes(place->shared);
	row.cells[i++] = ksr_cell_bytes(place->memory.fork_shared);
	row.cells[i++] = ksr_cell_bytes(place->live);
	row.cells[i++] = ksr_cell_bytes(place->live_error);
	row.cells[i++] = ksr_cell_bytes(place->memory.resident);
	row.cells[i++] = ksr_cell_count(place->processes);
	row.cells[i++] = place->stacks ? ksr_cell_count(place->stacks) : (struct ksr_cell){.kind = KSR_CELL_NONE};
	row.cells[i++] = ksr_cell_text(ksr_place_what(place));
	row.cells[i++] = ksr_cell_text(line ? ksr_language_key(line->language) : NULL);
	row.cells[i++] = ksr_cell_text(line && line->place[0] ? line->place : NULL);
	row.cells[i++] = ksr_cell_text(line ? line->module : NULL);
	row.cells[i++] = ksr_cell_text(row.id[0] ? row.id : NULL);
	row.cells[i++] = ksr_cell_text(name);
	row.cells[i++] = ksr_cell_list((const char *const *)row.frames, row.frame_count);
	row.cells[i++] = ksr_cell_list(row.reasons, row.reason_count);
	ksr_emitter_row(emitter, row.cells);
	for (size_t k = 0; k < row.frame_count; k++)
		free(row.frames[k]);
	free(row.frames);
}

/* How many rows are shown. Others go to the rest. */
static size_t choose_rows(const struct ksr_places *places, uint64_t all, uint64_t top)
{
	size_t count = 0;

	/* Rows of which there is nothing come last, and are never shown. */
	while (count < places->count && places->rows[count].held &&
	       (top ? count < top : count < ROWS_MOST && places->rows[count].held >= all / WORTH))
		count++;
	return count;
}

/* Rows that are not shown belong to the rest; and all that fork shares to somebody. */
static void fill_rest(struct shown *shown, const struct ksr_balance *total)
{
	struct ksr_place *rest = &shown->places.rest;

	rest->memory.fork_shared = total->forked;
	for (size_t i = 0; i < shown->places.count; i++) {
		const struct ksr_place *place = &shown->places.rows[i];

		if (i < shown->count) {
			rest->memory.fork_shared = ksr_less(rest->memory.fork_shared, place->memory.fork_shared);
			continue;
		}
		rest->held += place->held;
		rest->merged += place->merged;
		rest->shared += place->shared;
	}
}

static void choose_columns(const struct shown *shown, const struct ksr_balance *total,
			   struct ksr_column columns[KSM_COUNT_OF(place_columns)])
{
	bool joined = false;
	bool inexact = false;

	for (size_t i = 0; i < shown->count; i++) {
		const struct ksr_place *place = &shown->places.rows[i];

		joined = joined || place->stacks > 1;
		inexact = inexact || place->held_error * 100 > place->held * ERROR_PERCENT;
	}
	memcpy(columns, place_columns, sizeof(place_columns));
	for (size_t i = 0; i < KSM_COUNT_OF(place_columns); i++) {
		if ((strcmp(columns[i].key, "stacks") == 0 && !joined) ||
		    (strcmp(columns[i].key, "held_error_percent") == 0 && !inexact) ||
		    (strcmp(columns[i].key, "saved_by_fork") == 0 && total->forked < ksr_balance_without(total) / WORTH))
			columns[i].title = NULL;
	}
}

static void emit_places(struct shown *shown, const struct ksr_balance *total, struct ksr_emitter *emitter)
{
	size_t smaller = shown->places.count - shown->count;
	struct ksr_column columns[KSM_COUNT_OF(place_columns)];
	char name[128] = "the rest: stacks, unknown";

	if (smaller)
		snprintf(name, sizeof(name), "the rest: %zu smaller place%s, stacks, unknown", smaller, smaller == 1 ? "" : "s");
	choose_columns(shown, total, columns);
	ksr_emitter_table_begin(emitter, "places", columns, KSM_COUNT_OF(columns));
	ksr_emitter_spare(emitter, spare_columns, KSM_COUNT_OF(spare_columns));
	for (size_t i = 0; i < shown->count; i++)
		emit_place(shown, &shown->places.rows[i], shown->places.rows[i].name, shown->why ? &shown->why[i] : NULL,
			   emitter);
	if (shown->report->process_count)
		emit_place(shown, &shown->places.rest, name, NULL, emitter);
	ksr_emitter_table_end(emitter);
	for (size_t i = 0; i < shown->common.count; i++)
		ksr_emitter_note(emitter, "Of all of these that merge little: %s", shown->common.text[i]);
}

/* The sum of the rows, and what it is by the kernel's own figures. */
static void say_total(const struct ksr_balance *total, struct ksr_emitter *emitter)
{
	char texts[5][KSR_HUMAN_BYTES];
	const uint64_t bytes[] = {ksr_balance_saved(total), ksr_balance_without(total), total->pss, total->untouched,
				  total->forked};

	for (size_t i = 0; i < KSM_COUNT_OF(bytes); i++)
		ksr_human_bytes(bytes[i], texts[i]);
	ksr_emitter_say(emitter, "%s of %s are saved in all; what is left is Pss, %s%s%s%s.", texts[0], texts[1], texts[2],
			total->untouched ? ", and " : "", total->untouched ? texts[3] : "",
			total->untouched ? " of shared pages that nobody looks at now" : "");
	if (total->forked >= ksr_balance_without(total) / WORTH && total->forked)
		ksr_emitter_say(emitter, "Fork saves another %s: what a master and its workers have in common is held once.",
				texts[4]);
}

/* What is nobody's can be had back. */
static void say_kept(const struct ksr_report *report, const struct ksr_balance *total, struct ksr_emitter *emitter)
{
	/* As its row has it: what a master keeps for all that it forked counts once. */
	uint64_t kept = ksr_less(report->totals.kept.held, report->totals.kept.fork_shared);
	char text[KSR_HUMAN_BYTES];

	if (!kept || kept < ksr_balance_without(total) / WORTH)
		return;
	ksr_human_bytes(kept, text);
	ksr_emitter_say(emitter, "%s were freed, and the allocator keeps them: a thread gives that back as it goes on to allocate "
				 "and free (in the shared layout at once when an arena has more than 4 MiB, or a 32nd of what is in use); of one that "
				 "sleeps it stays until malloc_trim(3) is called.", text);
}

static void render_places(const struct ksr_report *report, const struct ksr_balance *total, struct ksr_symbols *symbols,
			  const struct ksr_screen_options *options, struct ksr_emitter *emitter)
{
	struct shown shown = {.report = report, .options = options};

	if (ksr_places_create(report, total, symbols, options->by, &shown.places)) {
		ksr_emitter_note(emitter, "There was no memory for the places.");
		return;
	}
	shown.count = choose_rows(&shown.places, ksr_balance_without(total), options->top);
	fill_rest(&shown, total);
	explain(&shown);
	emit_places(&shown, total, emitter);
	free(shown.why);
	ksr_places_destroy(&shown.places);
	if (report->process_count)
		say_total(total, emitter);
	say_kept(report, total, emitter);
}

/* Of languages whose interpreters the library does not know: one line, whatever there are. */
static void say_unknown_languages(const struct ksr_report *report, struct ksr_emitter *emitter)
{
	uint64_t all = 0;
	size_t count = 0;
	char names[256] = "";

	for (size_t i = 0; i < report->process_count; i++) {
		uint64_t unknown = report->processes[i].snapshot.header.languages_unknown;

		count += unknown != 0;
		all |= unknown;
	}
	for (int i = 0; i < KSMALLOC_LANGUAGE_COUNT; i++) {
		size_t used = strlen(names);

		if (all >> i & 1)
			snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
				 ksr_language_words((uint32_t)i));
	}
	if (names[0])
		ksr_emitter_note(emitter, "%zu process%s run%s %s of a version or build whose functions are not known here: that "
				 "memory is named by C functions only. 'ksmalloc doctor' tells which.", count,
				 count == 1 ? "" : "es", count == 1 ? "s" : "", names);
}

void ksr_render_screen(const struct ksr_report *report, struct ksr_symbols *symbols,
		       const struct ksr_screen_options *options, struct ksr_emitter *emitter)
{
	struct ksr_balances balances;
	struct ksr_outlook outlook;

	if (ksr_balances_create(report, &balances)) {
		ksr_emitter_note(emitter, "There was no memory for sums.");
		return;
	}
	ksr_outlook_make(report, &balances, options->is_live, &outlook);
	render_headline(&balances, &outlook, emitter);
	render_summary(&balances.total, &outlook, emitter);
	render_kinds(&balances, emitter);
	if (report->process_count)
		render_outlook(&outlook, emitter);
	render_places(report, &balances.total, symbols, options, emitter);
	say_unknown_languages(report, emitter);
	ksr_balances_destroy(&balances);
}
