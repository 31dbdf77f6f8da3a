/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc estimate`: reads the pages themselves and says what would merge. */
#define _GNU_SOURCE
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "estimate/scan.h"
#include "join/aggregate.h"
#include "names/symbols.h"
#include "prepare.h"
#include "selected.h"
#include "show/kernel.h"

#define DEFAULT_MEMORY_MIB 256
/* Rows of a table on a terminal, unless --top says another number. */
#define ROWS_OF_TEXT 20

struct estimate_options {
	struct ksr_output output;
	uint64_t memory_mib;
	uint64_t top;
	const char *machinery;
	const char *sysroot;
	bool no_symbols;
};

#define AT(member) offsetof(struct estimate_options, member)

static const struct ksr_option options[] = {
	KSR_OUTPUT_OPTIONS("sizes are bytes", AT(output)),
	{"memory", "MIB", "Use this much for hashes, then sample (256).", KSR_OPTION_NUMBER,
	 AT(memory_mib), KSM_MIB},
	{"top", "N", "Show the first N places, and the others as one row (text: 20).", KSR_OPTION_NUMBER, AT(top), 0},
	{"machinery", "FILE", "Read more names of functions and folders that name nothing.", KSR_OPTION_TEXT,
	 AT(machinery), 0},
	{"sysroot", "DIR", "Look for programs and their debug information below DIR.", KSR_OPTION_TEXT, AT(sysroot), 0},
	{"no-symbols", NULL, "Open no program files; show module+0xoffset.", KSR_OPTION_SWITCH,
	 AT(no_symbols), 0},
};

static const char *const tables[] = {"sites", "ways", "totals", "kernel"};

#define WOULD_SHARE 3 /* in text only where a process has the shared layout */

static const struct ksr_column columns[] = {
	{"resident", "RESIDENT"}, {"would_merge", "WOULD MERGE"}, {"would_merge_percent", "%"},
	{"would_share", "WOULD SHARE"},
	{"zero", "ZERO"},	  {"fork_shared", "FORK"},	  {"site", "WHERE"},
};

/* A line of the table: all rows of one name. */
struct line {
	struct ksr_estimate_group figures;
	char *name;
};

static void render_line(struct ksr_emitter *emitter, const struct line *line)
{
	const struct ksr_estimate_group *figures = &line->figures;
	struct ksr_cell cells[] = {
		ksr_cell_bytes(figures->resident),    ksr_cell_bytes(figures->would_merge),
		ksr_cell_percent(figures->would_merge, figures->resident),
		ksr_cell_bytes(figures->would_share), ksr_cell_bytes(figures->zero),
		ksr_cell_bytes(figures->fork_shared), ksr_cell_text(line->name),
	};

	ksr_emitter_row(emitter, cells);
}

static void add_figures(struct ksr_estimate_group *sum, const struct ksr_estimate_group *part)
{
	sum->resident += part->resident;
	sum->zero += part->zero;
	sum->fork_shared += part->fork_shared;
	sum->would_merge += part->would_merge;
	sum->would_share += part->would_share;
}

static void sum_lines(const struct ksr_estimate *estimate, struct ksr_estimate_group *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (size_t i = 0; i < estimate->group_count; i++)
		add_figures(sum, &estimate->groups[i]);
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(((const struct line *)left)->name, ((const struct line *)right)->name);
}

static int compare_lines(const void *left, const void *right)
{
	const struct line *a = left;
	const struct line *b = right;

	if (a->figures.would_merge != b->figures.would_merge)
		return a->figures.would_merge > b->figures.would_merge ? -1 : 1;
	if (a->figures.resident != b->figures.resident)
		return a->figures.resident > b->figures.resident ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* As a report calls it. NULL without memory. */
static char *name_of(const struct ksr_report *report, const struct ksr_whose_row *row, struct ksr_symbols *symbols)
{
	const struct ksr_snapshot *snapshot = row->kind == KSR_WHOSE_SITE || row->kind == KSR_WHOSE_ORIGIN ?
						      &report->processes[row->process].snapshot : NULL;
	const struct ksr_stack *stack = NULL;
	char text[128] = "(small blocks)";

	if (row->kind == KSR_WHOSE_SITE)
		stack = ksr_symbols_stack(symbols, snapshot, row->index);
	else if (row->kind == KSR_WHOSE_ORIGIN)
		stack = ksr_symbols_origin(symbols, snapshot, row->index);
	if (snapshot)
		return strdup(stack ? stack->where : "unknown");
	if (row->kind == KSR_WHOSE_PART)
		snprintf(text, sizeof(text), "(%s)", ksr_part_name((enum ksr_part_id)row->index));
	else if (row->kind == KSR_WHOSE_FILE)
		ksr_file_words(&report->files[row->index], text, sizeof(text));
	else if (row->kind == KSR_WHOSE_KEPT)
		snprintf(text, sizeof(text), "(" KSR_KEPT_NAME ")");
	else if (row->kind == KSR_WHOSE_REST)
		snprintf(text, sizeof(text), "(%s)", report->process_count ? "other private memory" : "private memory");
	return strdup(text);
}

/* Joins lines of one name; what has most to merge comes first. Returns how many are left. */
static size_t join_lines(struct line *lines, size_t count)
{
	size_t kept = 0;

	qsort(lines, count, sizeof(*lines), compare_names);
	for (size_t i = 0; i < count; i++) {
		if (kept && strcmp(lines[kept - 1].name, lines[i].name) == 0) {
			add_figures(&lines[kept - 1].figures, &lines[i].figures);
			free(lines[i].name);
		} else {
			lines[kept++] = lines[i];
		}
	}
	qsort(lines, kept, sizeof(*lines), compare_lines);
	return kept;
}

/* So many are left, and what comes after them is one. */
static size_t join_small(struct line *lines, size_t count, uint64_t top)
{
	char text[64];
	char *name;

	/* One place by itself keeps its name. */
	if (top == 0 || count <= top + 1)
		return count;
	snprintf(text, sizeof(text), "(%zu smaller places)", count - (size_t)top);
	name = strdup(text);
	if (!name)
		return count;
	free(lines[top].name);
	lines[top].name = name;
	for (size_t i = (size_t)top + 1; i < count; i++) {
		add_figures(&lines[top].figures, &lines[i].figures);
		free(lines[i].name);
	}
	return (size_t)top + 1;
}

/* Of rows that have memory. NULL without memory. */
static struct line *create_lines(const struct ksr_report *report, const struct ksr_estimate *estimate,
				 struct ksr_symbols *symbols, uint64_t top, size_t *count)
{
	struct line *lines = calloc(estimate->group_count + 1, sizeof(*lines));
	bool done = lines != NULL;
	size_t filled = 0;

	for (size_t i = 0; i < estimate->group_count && done; i++) {
		struct ksr_whose_row row = ksr_whose_row(estimate->whose, (uint32_t)i);

		if (estimate->groups[i].resident == 0)
			continue;
		lines[filled] = (struct line){estimate->groups[i], name_of(report, &row, symbols)};
		done = lines[filled].name != NULL;
		filled += done;
	}
	*count = done ? join_small(lines, join_lines(lines, filled), top) : filled;
	return lines;
}

static void render_lines(const struct ksr_report *report, const struct ksr_estimate *estimate,
			 struct ksr_symbols *symbols, uint64_t top, struct ksr_emitter *emitter)
{
	size_t count = 0;
	struct line *lines = create_lines(report, estimate, symbols, top, &count);
	struct ksr_column shown[KSM_COUNT_OF(columns)];
	static const char *const spare[] = {"zero", "fork_shared"};

	memcpy(shown, columns, sizeof(shown));
	if (!estimate->has_shared)
		shown[WOULD_SHARE].title = NULL;
	ksr_emitter_table_begin(emitter, "sites", shown, KSM_COUNT_OF(shown));
	ksr_emitter_spare(emitter, spare, KSM_COUNT_OF(spare));
	for (size_t i = 0; i < count; i++) {
		render_line(emitter, &lines[i]);
		free(lines[i].name);
	}
	ksr_emitter_table_end(emitter);
	if (!lines)
		ksr_emitter_note(emitter, "There was no memory for the rows.");
	free(lines);
}

static void render_ways(const struct ksr_estimate *estimate, uint64_t resident, struct ksr_emitter *emitter)
{
	static const struct ksr_column way_columns[] = {
		{"saves_least", "SAVES AT LEAST"}, {"saves_most", "AT MOST"}, {"most_percent", "%"}, {"way", NULL},
		{"what", "BY"}, {"how", "WHAT IS COUNTED"},
	};
	static const char *const texts[][3] = {
#define TEXTS(name, key, what, how) {key, what, how},
		KSR_WAYS(TEXTS)
#undef TEXTS
	};

	ksr_emitter_table_begin(emitter, "ways", way_columns, KSM_COUNT_OF(way_columns));
	for (size_t i = 0; i < KSR_WAY_COUNT; i++) {
		struct ksr_cell cells[] = {
			ksr_cell_bytes(estimate->saves[i].least), ksr_cell_bytes(estimate->saves[i].most),
			ksr_cell_percent(estimate->saves[i].most, resident),
			ksr_cell_text(texts[i][0]), ksr_cell_text(texts[i][1]), ksr_cell_sentence(texts[i][2]),
		};

		ksr_emitter_row(emitter, cells);
	}
	ksr_emitter_table_end(emitter);
}

static void render_totals(const struct ksr_estimate *estimate, const struct ksr_estimate_group *sum,
			  struct ksr_emitter *emitter)
{
	ksr_emitter_section_begin(emitter, "totals");
	ksr_emitter_value(emitter, "processes", "processes read",
			  ksr_cell_count(estimate->processes));
	ksr_emitter_value(emitter, "resident", "private memory in all", ksr_cell_bytes(sum->resident));
	ksr_emitter_value(emitter, "would_merge", "of that, would merge",
			  ksr_cell_bytes(sum->would_merge));
	ksr_emitter_value(emitter, "zero", "of that, all zero", ksr_cell_bytes(sum->zero));
	ksr_emitter_value(emitter, "fork_shared", "shared by fork already", ksr_cell_bytes(sum->fork_shared));
	ksr_emitter_value(emitter, "swapped", "swapped out, not read",
			  ksr_cell_bytes(estimate->swapped));
	ksr_emitter_value(emitter, "unreadable", "could not be read",
			  ksr_cell_bytes(estimate->unreadable));
	ksr_emitter_value(emitter, "would_share", estimate->has_shared ? "would be saved by a group's store" : NULL,
			  ksr_cell_bytes(sum->would_share));
	ksr_emitter_section_end(emitter);
}

static void render(const struct ksr_report *report, const struct ksr_estimate *estimate,
		   struct ksr_symbols *symbols, uint64_t top, struct ksr_emitter *emitter)
{
	struct ksr_estimate_group sum;

	sum_lines(estimate, &sum);
	render_lines(report, estimate, symbols, top, emitter);
	render_ways(estimate, sum.resident, emitter);
	render_totals(estimate, &sum, emitter);
	if (estimate->factor > 1)
		ksr_emitter_note(emitter, "One content of %" PRIu64 " was counted (--memory).",
				 estimate->factor);
	if (!estimate->has_frames)
		ksr_emitter_note(emitter,
				 "Without root, pages of equal content that several "
				 "processes map at one address are taken for shared by fork.");
	for (size_t i = 0; i < estimate->failed_count; i++)
		ksr_emitter_note(emitter, "process %d: %s", (int)estimate->failed[i].pid,
				 estimate->failed[i].why);
}

static int show(const struct ksr_command *command, const struct estimate_options *chosen,
		const struct ksr_fs *fs, const struct ksr_report *report,
		const struct ksr_estimate *estimate)
{
	struct ksr_symbols *symbols = ksr_symbols_create(fs, !chosen->no_symbols);
	struct ksr_emitter *emitter = ksr_emitter_create(&chosen->output, stdout);
	int error;
	int status;

	if (!symbols || !emitter) {
		ksr_symbols_destroy(symbols);
		return ksr_failure(command, "out of memory");
	}
	status = ksr_symbols_prepare(command, symbols, chosen->machinery, chosen->sysroot);
	if (status) {
		(void)ksr_emitter_finish(emitter);
		ksr_symbols_destroy(symbols);
		return status;
	}
	ksr_render_kernel(fs, &report->kernel, emitter);
	render(report, estimate, symbols,
	       chosen->top || chosen->output.format != KSR_FORMAT_TEXT ? chosen->top : ROWS_OF_TEXT, emitter);
	error = ksr_emitter_finish(emitter);
	ksr_symbols_destroy(symbols);
	if (ksr_output_end(command, error))
		return KSR_EXIT_FAILED;
	return estimate->processes ? KSR_EXIT_OK : KSR_EXIT_FINDINGS;
}

/* Of groups: those that the report has found; all of them have statistics. */
static int add_members(const struct ksr_report *report, struct ksr_selected *selected)
{
	struct ksr_selection *selection = &selected->selection;
	pid_t *larger = reallocarray(selected->pids, selection->pid_count + report->process_count + 1, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	selected->pids = larger;
	selection->pids = larger;
	for (size_t i = 0; i < report->process_count; i++) {
		size_t k = 0;

		while (k < selection->pid_count && larger[k] != report->processes[i].snapshot.pid)
			k++;
		if (k == selection->pid_count)
			larger[selection->pid_count++] = report->processes[i].snapshot.pid;
	}
	return 0;
}

static int estimate_report(const struct ksr_command *command, const struct estimate_options *chosen,
			   const struct ksr_fs *fs, const struct ksr_report *report, const pid_t *pids, size_t count)
{
	struct ksr_estimate estimate;
	int error;
	int status;

	if (count == 0) {
		(void)ksr_failure(command, "no process of such a group was found; 'ksmalloc report' shows those of all "
				  "groups");
		return KSR_EXIT_FINDINGS;
	}
	error = ksr_estimate_create(fs, report, pids, count, chosen->memory_mib * KSM_MIB, &estimate);
	if (error)
		return ksr_failure(command, "cannot read memory: %s", strerror(-error));
	status = show(command, chosen, fs, report, &estimate);
	ksr_estimate_destroy(&estimate);
	return status;
}

static int estimate_processes(const struct ksr_command *command, const struct estimate_options *chosen,
			      struct ksr_selected *selected)
{
	struct ksr_selection *selection = &selected->selection;
	struct ksr_report report;
	struct ksr_fs fs;
	int error = ksr_fs_init(&fs, NULL);
	int status;

	if (error)
		return ksr_failure(command, "cannot open /: %s", strerror(-error));
	error = ksr_report_create(&fs, selection, &report);
	if (error) {
		ksr_fs_fini(&fs);
		return ksr_failure(command, "cannot read processes: %s", strerror(-error));
	}
	if (selection->group_count && add_members(&report, selected))
		status = ksr_failure(command, "out of memory");
	else
		status = estimate_report(command, chosen, &fs, &report, selection->pids, selection->pid_count);
	ksr_report_destroy(&report);
	ksr_fs_fini(&fs);
	return status;
}

static int estimate_main(const struct ksr_command *command, int argc, char **argv)
{
	struct estimate_options chosen = {.memory_mib = DEFAULT_MEMORY_MIB};
	struct ksr_selected selected;
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, NULL, &chosen, &status);

	if (first < 0)
		return status;
	if (first == argc)
		return ksr_usage_error(command, "a process is missing; give one PID or more, or groups");
	if (ksr_selected_create(&selected, argc))
		status = ksr_failure(command, "out of memory");
	else
		status = ksr_selected_add_all(command, &selected, argv + first, (size_t)(argc - first));
	if (!status)
		status = estimate_processes(command, &chosen, &selected);
	ksr_selected_destroy(&selected);
	return status;
}

const struct ksr_command ksr_command_estimate = {
	.name = "estimate",
	.arguments = "PID...|GROUP...",
	.summary = "Read the memory of processes and say what each way would save",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.tables = tables,
	.table_count = KSM_COUNT_OF(tables),
	.main = estimate_main,
};
