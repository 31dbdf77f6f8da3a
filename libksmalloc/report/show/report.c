/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The columns are one table: key, title, how to get the number. The order of
 * the table is that of the output; the name comes last in text, because it is
 * the only column without a bound on its width.
 */
#define _GNU_SOURCE
#include "show/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "judge/exclusion.h"
#include "names/human.h"
#include "read/kernel.h"
#include "show/regions.h"
#include "show/screen.h"
#include "show/store.h"

enum column_id {
	COLUMN_LIVE,
	COLUMN_RESIDENT,
	COLUMN_MERGED,
	COLUMN_SHARED,
	COLUMN_SAVED,
	COLUMN_SAVED_PERCENT,
	COLUMN_FORK,
	COLUMN_UNSHARED,
	COLUMN_VOLATILE,
	COLUMN_SCANNED,
	COLUMN_BROKEN,
	COLUMN_SKIPPED,
	COLUMN_ZERO,
	COLUMN_CPU,
	COLUMN_PRIORITY,
	COLUMN_CALLS,
	COLUMN_PROCESSES,
	COLUMN_STABILITY,
	COLUMN_NAME,
	COLUMN_ID,
	COLUMN_STATE,
	COLUMN_ADVISED,
	COLUMN_HINTED,
	COLUMN_EXACT,
	COLUMN_SAVED_ERROR,
	COLUMN_FRAMES,
	COLUMN_WHY,
	COLUMN_FIRST_STAT, /* the statistics of the segment follow, from their own list */
};

/* In text by default, --counters, both, or never; JSON and CSV have all. */
enum shown {
	SHOWN_NEVER,
	SHOWN_DEFAULT = 1 << 0,
	SHOWN_COUNTERS = 1 << 1,
	SHOWN_BOTH = SHOWN_DEFAULT | SHOWN_COUNTERS,
};

struct column {
	struct ksr_column head;
	enum shown shown;
};

#define STAT_COLUMN(name, kind, help) {{#name, NULL}, SHOWN_NEVER},

static const struct column columns[] = {
	[COLUMN_LIVE] = {{"live", "LIVE"}, SHOWN_DEFAULT},
	[COLUMN_RESIDENT] = {{"resident", "RESIDENT"}, SHOWN_DEFAULT},
	[COLUMN_MERGED] = {{"merged", "MERGED"}, SHOWN_DEFAULT},
	[COLUMN_SHARED] = {{"shared", "SHARED"}, SHOWN_NEVER},
	[COLUMN_SAVED] = {{"saved", "SAVED"}, SHOWN_BOTH},
	[COLUMN_SAVED_PERCENT] = {{"saved_percent", "SAVED %"}, SHOWN_DEFAULT},
	[COLUMN_FORK] = {{"fork_shared", NULL}, SHOWN_NEVER},
	[COLUMN_UNSHARED] = {{"unshared", "UNSHARED"}, SHOWN_COUNTERS},
	[COLUMN_VOLATILE] = {{"volatile", "VOLATILE"}, SHOWN_COUNTERS},
	[COLUMN_SCANNED] = {{"scanned", "SCANNED"}, SHOWN_COUNTERS},
	[COLUMN_BROKEN] = {{"broken", "BROKEN"}, SHOWN_COUNTERS},
	[COLUMN_SKIPPED] = {{"skipped", "SKIPPED"}, SHOWN_COUNTERS},
	[COLUMN_ZERO] = {{"zero", "ZERO"}, SHOWN_COUNTERS},
	[COLUMN_CPU] = {{"cpu_us", "CPU US"}, SHOWN_COUNTERS},
	[COLUMN_PRIORITY] = {{"priority", "PRIO"}, SHOWN_COUNTERS},
	[COLUMN_CALLS] = {{"calls", "CALLS"}, SHOWN_DEFAULT},
	[COLUMN_PROCESSES] = {{"processes", "PROCESSES"}, SHOWN_DEFAULT},
	[COLUMN_STABILITY] = {{"stability", "STABILITY"}, SHOWN_COUNTERS},
	[COLUMN_NAME] = {{"site", "SITE"}, SHOWN_BOTH},
	[COLUMN_ID] = {{"id", NULL}, SHOWN_NEVER},
	[COLUMN_STATE] = {{"state", NULL}, SHOWN_NEVER},
	[COLUMN_ADVISED] = {{"advised", NULL}, SHOWN_NEVER},
	[COLUMN_HINTED] = {{"hinted", NULL}, SHOWN_NEVER},
	[COLUMN_EXACT] = {{"exact_processes", NULL}, SHOWN_NEVER},
	[COLUMN_SAVED_ERROR] = {{"saved_error", NULL}, SHOWN_NEVER},
	[COLUMN_FRAMES] = {{"frames", "FRAMES"}, SHOWN_BOTH},
	[COLUMN_WHY] = {{"why", "WHY"}, SHOWN_BOTH},
	KSMALLOC_SITE_STATS(STAT_COLUMN)};

#define COLUMN_COUNT KSM_COUNT_OF(columns)

/* Cells are made for one site at a time; lists point into the scratch of the row. */
struct row {
	struct ksr_cell cells[COLUMN_COUNT];
	char id[24];
	const char *reason_lines[KSR_REASONS_MOST];
	struct ksr_reasons reasons;
	char **frame_lines;
	size_t frame_count;
};

static uint64_t sort_value(const struct ksr_site *site, size_t column)
{
	const struct ksr_memory *memory = &site->memory;

	switch (column) {
	case COLUMN_LIVE:
		return site->stats.live_bytes;
	case COLUMN_RESIDENT:
		return memory->resident;
	case COLUMN_MERGED:
		return memory->merged;
	case COLUMN_SHARED:
		return memory->shared;
	case COLUMN_SAVED:
		return memory->saved;
	case COLUMN_SAVED_PERCENT:
		return memory->resident ? memory->saved * 100000 / memory->resident : 0;
	case COLUMN_FORK:
		return memory->fork_shared;
	case COLUMN_UNSHARED:
		return site->counters.unshared;
	case COLUMN_VOLATILE:
		return site->counters.changing;
	case COLUMN_SCANNED:
		return site->counters.scanned;
	case COLUMN_BROKEN:
		return site->counters.broken;
	case COLUMN_SKIPPED:
		return site->counters.skipped;
	case COLUMN_ZERO:
		return site->counters.zero;
	case COLUMN_CPU:
		return site->counters.cpu_us;
	case COLUMN_PRIORITY:
		return site->counters.priority;
	case COLUMN_CALLS:
		return site->stats.calls_total;
	case COLUMN_PROCESSES:
		return site->processes;
	default:
		return 0;
	}
}

static bool is_sortable(size_t column)
{
	return column <= COLUMN_PROCESSES;
}

bool ksr_render_knows_column(const char *key)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		if (is_sortable(i) && strcmp(columns[i].head.key, key) == 0)
			return true;
	}
	return false;
}

void ksr_render_columns(char *text, size_t bytes)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < COLUMN_COUNT && used < bytes; i++) {
		if (is_sortable(i))
			used += (size_t)snprintf(text + used, bytes - used, "%s%s",
						 used ? ", " : "", columns[i].head.key);
	}
}

/* Descending; equal values by resident, live and id, so that the order is always the same. */
static int compare_sites(const void *left, const void *right, void *user)
{
	const struct ksr_site *a = left;
	const struct ksr_site *b = right;
	const size_t keys[] = {*(size_t *)user, COLUMN_RESIDENT, COLUMN_LIVE};

	for (size_t i = 0; i < KSM_COUNT_OF(keys); i++) {
		uint64_t x = sort_value(a, keys[i]);
		uint64_t y = sort_value(b, keys[i]);

		if (x != y)
			return x > y ? -1 : 1;
	}
	return a->id < b->id ? -1 : a->id > b->id;
}

static void sort_sites(struct ksr_report *report, const char *key)
{
	size_t column = COLUMN_SAVED;

	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		if (is_sortable(i) && strcmp(columns[i].head.key, key) == 0)
			column = i;
	}
	qsort_r(report->sites, report->site_count, sizeof(*report->sites), compare_sites, &column);
}

static const char *state_word(const struct ksr_site *site)
{
	return site->states & (1u << KSMALLOC_SITE_PLACED) ? "placed" : "tracked";
}

static const char *stability_word(uint32_t stabilities)
{
	switch (stabilities) {
	case 1u << KSMALLOC_STABILITY_UNKNOWN:
		return "unknown";
	case 1u << KSMALLOC_STABILITY_VOLATILE:
		return "volatile";
	case 1u << KSMALLOC_STABILITY_SETTLED:
		return "settled";
	default:
		return stabilities ? "mixed" : NULL;
	}
}

/* Nothing is known of them on a kernel that does not count by site. */
static void fill_counters(struct ksr_cell *cells, const struct ksr_site *site)
{
	const struct ksr_site_counters *counters = &site->counters;
	static const size_t all[] = {COLUMN_UNSHARED, COLUMN_VOLATILE, COLUMN_SCANNED,
				     COLUMN_BROKEN,   COLUMN_SKIPPED,  COLUMN_ZERO,
				     COLUMN_PRIORITY, COLUMN_HINTED};

	cells[COLUMN_EXACT] = ksr_cell_count(counters->processes);
	cells[COLUMN_UNSHARED] = ksr_cell_bytes(counters->unshared);
	cells[COLUMN_VOLATILE] = ksr_cell_bytes(counters->changing);
	cells[COLUMN_SCANNED] = ksr_cell_count(counters->scanned);
	cells[COLUMN_BROKEN] = ksr_cell_count(counters->broken);
	cells[COLUMN_SKIPPED] = ksr_cell_count(counters->skipped);
	cells[COLUMN_ZERO] = ksr_cell_count(counters->zero);
	cells[COLUMN_CPU] = ksr_cell_count(counters->cpu_us);
	cells[COLUMN_PRIORITY] = ksr_cell_count(counters->priority);
	cells[COLUMN_STABILITY] = ksr_cell_text(stability_word(
		counters->processes ? counters->stabilities : site->stabilities));
	cells[COLUMN_HINTED] = ksr_cell_bytes(counters->hinted);
	if (!counters->has_cpu)
		cells[COLUMN_CPU].kind = KSR_CELL_NONE;
	for (size_t i = 0; counters->processes == 0 && i < KSM_COUNT_OF(all); i++)
		cells[all[i]].kind = KSR_CELL_NONE;
}

static void fill_frames(struct row *row, const struct ksr_stack *stack, uint64_t most)
{
	size_t count = stack ? (size_t)ksm_min(stack->count, most) : 0;

	row->frame_lines = count ? calloc(count, sizeof(*row->frame_lines)) : NULL;
	row->frame_count = 0;
	for (size_t i = 0; row->frame_lines && i < count; i++) {
		const struct ksr_line *line = &stack->lines[i];
		int length = asprintf(&row->frame_lines[i], "%s%s%s%s  [%s]", line->function,
				      line->place[0] ? " (" : "", line->place,
				      line->place[0] ? ")" : "", line->module);

		if (length < 0)
			break;
		row->frame_count++;
	}
	row->cells[COLUMN_FRAMES] =
		ksr_cell_list((const char *const *)row->frame_lines, row->frame_count);
}

static void free_frames(struct row *row)
{
	for (size_t i = 0; i < row->frame_count; i++)
		free(row->frame_lines[i]);
	free(row->frame_lines);
}

static void fill_why(struct row *row, const struct ksr_report *report, const struct ksr_site *site)
{
	ksr_explain_site(report, site, &row->reasons);
	for (size_t i = 0; i < row->reasons.count; i++)
		row->reason_lines[i] = row->reasons.text[i];
	row->cells[COLUMN_WHY] = ksr_cell_list(row->reason_lines, row->reasons.count);
}

static void fill_row(struct row *row, const struct ksr_site *site, const struct ksr_stack *stack)
{
	const struct ksr_memory *memory = &site->memory;
	struct ksr_cell *cells = row->cells;
	size_t next = COLUMN_FIRST_STAT;

	snprintf(row->id, sizeof(row->id), "%012" PRIx64, site->id);
	cells[COLUMN_LIVE] = ksr_cell_bytes(site->stats.live_bytes);
	cells[COLUMN_RESIDENT] = ksr_cell_bytes(memory->resident);
	cells[COLUMN_MERGED] = ksr_cell_bytes(memory->merged);
	cells[COLUMN_SHARED] = ksr_cell_bytes(memory->shared);
	cells[COLUMN_SAVED] = ksr_cell_bytes(memory->saved);
	cells[COLUMN_SAVED_PERCENT] = ksr_cell_percent(memory->saved, memory->resident);
	cells[COLUMN_FORK] = ksr_cell_bytes(memory->fork_shared);
	cells[COLUMN_CALLS] = ksr_cell_count(site->stats.calls_total);
	cells[COLUMN_PROCESSES] = ksr_cell_count(site->processes);
	cells[COLUMN_NAME] = ksr_cell_text(stack ? stack->name : row->id);
	cells[COLUMN_ID] = ksr_cell_text(row->id);
	cells[COLUMN_STATE] = ksr_cell_text(state_word(site));
	cells[COLUMN_ADVISED] = ksr_cell_bool(site->flags & KSMALLOC_SITE_ADVISED);
	cells[COLUMN_SAVED_ERROR] = ksr_cell_bytes(memory->saved_error);
	fill_counters(cells, site);
	cells[COLUMN_FRAMES] = ksr_cell_list(NULL, 0);
	cells[COLUMN_WHY] = ksr_cell_list(NULL, 0);
#define STAT_CELL(name, kind, help) cells[next++] = ksr_cell_count(site->stats.name);
	KSMALLOC_SITE_STATS(STAT_CELL)
#undef STAT_CELL
}

/* A program has hundreds of stacks that once allocated and hold nothing now. */
static bool holds_memory(const struct ksr_site *site)
{
	return site->stats.live_bytes || site->memory.resident || site->memory.swapped ||
	       site->memory.shared;
}

static size_t move_empty_last(struct ksr_report *report)
{
	size_t kept = 0;

	for (size_t i = 0; i < report->site_count; i++) {
		struct ksr_site site = report->sites[i];

		if (!holds_memory(&site))
			continue;
		/* The order of those that hold memory stays; that of the others does not matter. */
		report->sites[i] = report->sites[kept];
		report->sites[kept++] = site;
	}
	return kept;
}

/* What text shows: merges that were broken as well, where the kernel counts them, and what is shared where that is asked for. */
static void choose_columns(const struct ksr_report *report,
			   const struct ksr_render_options *options,
			   struct ksr_column heads[COLUMN_COUNT])
{
	enum shown wanted = options->counters ? SHOWN_COUNTERS : SHOWN_DEFAULT;

	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		bool shown = columns[i].shown & wanted;

		if (i == COLUMN_BROKEN && report->totals.exact.processes)
			shown = true;
		if (i == COLUMN_SHARED && report->totals.sharing_asked && !options->counters)
			shown = true;
		heads[i] = columns[i].head;
		if (!shown)
			heads[i].title = NULL;
	}
}

/* So many rows are beyond --top, and so many have nothing in them. */
static void note_left_out(size_t more, size_t empty, struct ksr_emitter *emitter)
{
	if (more)
		ksr_emitter_note(emitter, "%zu more site%s not shown (--top).", more, more == 1 ? " is" : "s are");
	if (empty)
		ksr_emitter_note(emitter, "%zu site%s no memory now %s not shown (--empty shows %s).", empty,
				 empty == 1 ? " that holds" : "s that hold", empty == 1 ? "is" : "are", empty == 1 ? "it" : "them");
}

static void render_sites(struct ksr_report *report, struct ksr_symbols *symbols,
			 const struct ksr_render_options *options, struct ksr_emitter *emitter)
{
	size_t worth = options->empty ? report->site_count : move_empty_last(report);
	struct ksr_column heads[COLUMN_COUNT];
	size_t shown = worth;
	struct row row;

	if (options->top && options->top < shown)
		shown = (size_t)options->top;
	choose_columns(report, options, heads);
	ksr_emitter_table_begin(emitter, "sites", heads, COLUMN_COUNT);
	for (size_t i = 0; i < shown; i++) {
		const struct ksr_site *site = &report->sites[i];
		const struct ksr_process *process = &report->processes[site->sample_process];
		const struct ksr_stack *stack =
			ksr_symbols_stack(symbols, &process->snapshot, site->sample_index);

		memset(&row, 0, sizeof(row));
		fill_row(&row, site, stack);
		if (options->frames)
			fill_frames(&row, stack, options->frames);
		if (options->why)
			fill_why(&row, report, site);
		ksr_emitter_row(emitter, row.cells);
		free_frames(&row);
	}
	ksr_emitter_table_end(emitter);
	note_left_out(worth - shown, report->site_count - worth, emitter);
}

/* Where merged and saved come from. */
static void render_source(const struct ksr_report *report, struct ksr_emitter *emitter)
{
	uint32_t exact = report->totals.exact.processes;
	const char *source = "Rss - Pss";

	if (exact && exact == report->process_count)
		source = "exact counters of the kernel";
	else if (exact)
		source = "exact counters of the kernel, for some Rss - Pss";
	ksr_emitter_value(emitter, "source", "saved by", ksr_cell_text(source));
	if (exact && exact < report->process_count)
		ksr_emitter_value(emitter, "exact_processes", "processes with exact counters",
				  ksr_cell_count(exact));
}

static void render_totals(const struct ksr_report *report, struct ksr_emitter *emitter)
{
	const struct ksr_totals *totals = &report->totals;
	bool exact = totals->exact.processes && totals->exact.processes == report->process_count;
	struct {
		const char *key;
		const char *title;
		uint64_t bytes;
		bool always; /* in text too when it is 0 */
	} const lines[] = {
		{"resident_in_sites", "resident in sites", totals->sites.resident, true},
		{"merged_in_sites", "merged in sites", totals->sites.merged, true},
		{"saved_in_sites", "saved in sites", totals->sites.saved, true},
		{"saved_freed", "merged, but freed and kept: not saved", totals->sites.saved_freed,
		 false},
		{"saved_error", "saved, error at most", totals->sites.saved_error, false},
		{"fork_shared_in_sites", "shared by fork, not saved", totals->sites.fork_shared,
		 false},
		{"resident_in_nursery", "resident, blocks of small places", totals->nursery.resident, false},
		{"merged_in_nursery", "merged, blocks of small places", totals->nursery.merged, false},
		{"saved_in_nursery", "saved, blocks of small places", totals->nursery.saved, false},
		{"freed_kept", KSR_KEPT_NAME, totals->kept.resident, false},
		{"swapped_in_sites", "swapped out of sites", totals->sites.swapped, false},
		{"merged_outside", "merged, other memory", totals->outside.merged, true},
		{"saved_outside", "saved, other memory", totals->outside.saved, true},
		{"zero_pages", "zero pages made by KSM", totals->zero, false},
		{"stale_merged", "merged, but freed or written since the last visit",
		 totals->exact.stale_merged, false},
		{"stale_saved", "of that, counted by the kernel as saved",
		 totals->exact.stale_saved, false},
		{"merging_of_processes", "merging, as the kernel counts these processes",
		 totals->merging, true},
		{"saved_of_processes", "saved, as the kernel counts these processes",
		 totals->exact.saved, false},
		{"other_processes", "merging in other processes", totals->other_merging, true},
		{"other_saved", "saved in other processes", exact ? totals->other_saved : 0,
		 false},
		{"kernel_merging", "merging on the whole machine", totals->kernel_merging, true},
		{"kernel_saved", "saved on the whole machine", totals->kernel_saved, true},
		{"page_tables", "page tables of these processes", totals->page_tables, false},
	};

	ksr_emitter_section_begin(emitter, "totals");
	ksr_emitter_value(emitter, "processes", "processes read",
			  ksr_cell_count(report->process_count));
	if (report->process_count)
		render_source(report, emitter);
	for (size_t i = 0; i < KSM_COUNT_OF(lines); i++) {
		if (lines[i].always || lines[i].bytes)
			ksr_emitter_value(emitter, lines[i].key, lines[i].title,
					  ksr_cell_bytes(lines[i].bytes));
	}
	ksr_render_store_totals(totals, emitter);
	ksr_emitter_section_end(emitter);
}

/* A kernel without the file, and a process that ends, are no matter of a line. */
static void render_counter_notes(const struct ksr_report *report, struct ksr_emitter *emitter)
{
	for (size_t i = 0; i < report->process_count; i++) {
		const struct ksr_process *process = &report->processes[i];
		int error = -process->counters_error;
		int pid = (int)process->snapshot.pid;

		if (error == EINVAL)
			ksr_emitter_note(emitter,
					 "process %d: /proc/%d/ksm_sites has a form that is not "
					 "known here; Rss - Pss is used.",
					 pid, pid);
		else if (error && error != ENOENT && error != ENODATA)
			ksr_emitter_note(emitter,
					 "process %d: /proc/%d/ksm_sites cannot be read (%s); Rss "
					 "- Pss is used.",
					 pid, pid, strerror(error));
	}
}

static void render_machine(const struct ksr_report *report, struct ksr_emitter *emitter)
{
	struct ksr_reasons reasons;

	ksr_explain_machine(report, &reasons);
	for (size_t i = 0; i < reasons.count; i++)
		ksr_emitter_note(emitter, "%s", reasons.text[i]);
}

/* What is denied and may merge all the same is a broken promise, so everybody is told. */
static void render_exclusion(const struct ksr_report *report, struct ksr_emitter *emitter)
{
	struct ksr_exclusion exclusion;
	char text[KSR_HUMAN_BYTES];
	uint64_t leaking = 0;

	for (size_t i = 0; i < report->process_count; i++)
		if (ksr_exclusion_find(&report->processes[i], &exclusion) == 0)
			leaking += exclusion.leaking;
	if (!leaking)
		return;
	ksr_human_bytes(leaking, text);
	ksr_emitter_note(emitter, "%s of denied or private blocks can merge all the same (see "
				  "'ksmalloc doctor').", text);
}

/* Then something of the rest has a name, too, and nobody knows it. */
static void render_dropped(const struct ksr_report *report, struct ksr_emitter *emitter)
{
	size_t processes = 0;

	for (size_t i = 0; i < report->process_count; i++) {
		const struct ksmalloc_segment_header *header = &report->processes[i].snapshot.header;

		processes += header->origins_dropped_total || header->marks_dropped_total;
	}
	if (processes)
		ksr_emitter_note(emitter,
				 "%zu process%s more call stacks or pieces of memory than there is room for: some of the rest "
				 "has names that are not known.",
				 processes, processes == 1 ? " has" : "es have");
}

static void render_notes(const struct ksr_report *report, const struct ksr_render_options *options,
			 struct ksr_emitter *emitter)
{
	const struct ksr_kernel *kernel = &report->kernel;

	/* The screen has said it. */
	ksr_emitter_show_text(emitter, options->details);
	if (!kernel->present)
		ksr_emitter_note(emitter, "This kernel has no KSM: nothing can be saved.");
	else if (kernel->run != 1)
		ksr_emitter_note(emitter, "KSM does not run (see 'ksmalloc doctor').");
	ksr_emitter_show_text(emitter, true);
	if (options->why)
		render_machine(report, emitter);
	if (report->totals.sites.saved_error && !report->totals.exact.processes)
		ksr_emitter_note(emitter, "Fork and KSM share pages of the same memory: what is "
					  "saved was estimated; root counts it, where page flags tell.");
	if (report->unreadable)
		ksr_emitter_note(emitter,
				 "statistics of %zu process%s cannot be read: nobody can tell the group of %s "
				 "(report --all names %s).",
				 report->unreadable, report->unreadable == 1 ? "" : "es",
				 report->unreadable == 1 ? "it" : "them",
				 report->unreadable == 1 ? "it" : "them");
	render_counter_notes(report, emitter);
	render_exclusion(report, emitter);
	render_dropped(report, emitter);
	for (size_t i = 0; i < report->rejected_count; i++)
		ksr_emitter_note(emitter, "process %d: %s", (int)report->rejected[i].pid,
				 report->rejected[i].why);
}

void ksr_render_report(struct ksr_report *report, struct ksr_symbols *symbols,
		       const struct ksr_render_options *options, struct ksr_emitter *emitter)
{
	const struct ksr_screen_options screen = {
		.by = options->by,
		.top = options->top,
		.frames = options->frames,
		.why = options->why,
		.is_live = options->is_live,
	};

	if (options->counters && !report->totals.exact.processes)
		ksr_emitter_note(emitter, "This kernel does not count by site: it needs the "
					  "patches of kernel/ (see 'ksmalloc doctor').");
	ksr_emitter_show_text(emitter, !options->details);
	ksr_render_screen(report, symbols, &screen, emitter);
	ksr_emitter_show_text(emitter, options->details);
	sort_sites(report, options->sort);
	render_sites(report, symbols, options, emitter);
	ksr_render_parts(report, emitter);
	ksr_render_groups(report, emitter);
	ksr_render_stores(report, emitter);
	render_totals(report, emitter);
	render_notes(report, options, emitter);
}
