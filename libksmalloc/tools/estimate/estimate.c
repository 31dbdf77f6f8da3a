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
#include "show/kernel.h"

#define DEFAULT_MEMORY_MIB 256

struct estimate_options {
	struct ksr_output output;
	uint64_t memory_mib;
	bool no_symbols;
};

#define AT(member) offsetof(struct estimate_options, member)

static const struct ksr_option options[] = {
	KSR_OUTPUT_OPTIONS("sizes are bytes", AT(output)),
	{"memory", "MIB", "Use this much for hashes, then sample (256).", KSR_OPTION_NUMBER,
	 AT(memory_mib), KSM_MIB},
	{"no-symbols", NULL, "Open no program files; show module+0xoffset.", KSR_OPTION_SWITCH,
	 AT(no_symbols), 0},
};

static const char *const tables[] = {"sites", "totals", "kernel"};

#define WOULD_SHARE 3 /* in text only where a process has the shared layout */

static const struct ksr_column columns[] = {
	{"resident", "RESIDENT"}, {"would_merge", "WOULD MERGE"}, {"would_merge_percent", "%"},
	{"would_share", "WOULD SHARE"},
	{"zero", "ZERO"},	  {"fork_shared", "FORK"},	  {"site", "SITE"},
};

static void render_group(struct ksr_emitter *emitter, const struct ksr_estimate *estimate,
			 size_t group, const char *name)
{
	const struct ksr_estimate_group *figures = &estimate->groups[group];
	uint64_t merge = figures->sum.mergeable * estimate->page_bytes;
	struct ksr_cell cells[] = {
		ksr_cell_bytes(figures->resident),	    ksr_cell_bytes(merge),
		ksr_cell_percent(merge, figures->resident),
		ksr_cell_bytes(figures->placed.mergeable * estimate->page_bytes),
		ksr_cell_bytes(figures->zero),
		ksr_cell_bytes(figures->fork_shared),	    ksr_cell_text(name),
	};

	ksr_emitter_row(emitter, cells);
}

static uint64_t would_share(const struct ksr_estimate *estimate)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < estimate->group_count; i++)
		pages += estimate->groups[i].placed.mergeable;
	return pages * estimate->page_bytes;
}

static void render(const struct ksr_report *report, const struct ksr_estimate *estimate,
		   struct ksr_symbols *symbols, struct ksr_emitter *emitter)
{
	struct ksr_column shown[KSM_COUNT_OF(columns)];

	memcpy(shown, columns, sizeof(shown));
	if (!estimate->has_shared)
		shown[WOULD_SHARE].title = NULL;
	ksr_emitter_table_begin(emitter, "sites", shown, KSM_COUNT_OF(shown));
	for (size_t i = 0; i < report->site_count; i++) {
		const struct ksr_site *site = &report->sites[i];
		const struct ksr_stack *stack;

		if (estimate->groups[i].resident == 0)
			continue;
		stack = ksr_symbols_stack(symbols,
					  &report->processes[site->sample_process].snapshot,
					  site->sample_index);
		render_group(emitter, estimate, i, stack ? stack->name : "unknown");
	}
	for (size_t i = 0; i < KSR_PART_COUNT; i++) {
		char name[96];

		snprintf(name, sizeof(name), "(%s)", ksr_part_name((enum ksr_part_id)i));
		if (estimate->groups[report->site_count + i].resident)
			render_group(emitter, estimate, report->site_count + i, name);
	}
	render_group(emitter, estimate, estimate->group_count - 1,
		     "(private anonymous memory outside of sites)");
	ksr_emitter_table_end(emitter);
	ksr_emitter_section_begin(emitter, "totals");
	ksr_emitter_value(emitter, "processes", "processes read",
			  ksr_cell_count(estimate->processes));
	ksr_emitter_value(emitter, "swapped", "swapped out, not read",
			  ksr_cell_bytes(estimate->swapped));
	ksr_emitter_value(emitter, "unreadable", "could not be read",
			  ksr_cell_bytes(estimate->unreadable));
	ksr_emitter_value(emitter, "would_share", estimate->has_shared ? "would be saved by a group's store" : NULL,
			  ksr_cell_bytes(would_share(estimate)));
	ksr_emitter_section_end(emitter);
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

	if (!symbols || !emitter) {
		ksr_symbols_destroy(symbols);
		return ksr_failure(command, "out of memory");
	}
	ksr_render_kernel(fs, &report->kernel, emitter);
	render(report, estimate, symbols, emitter);
	error = ksr_emitter_finish(emitter);
	ksr_symbols_destroy(symbols);
	if (ksr_output_end(command, error))
		return KSR_EXIT_FAILED;
	return estimate->processes ? KSR_EXIT_OK : KSR_EXIT_FINDINGS;
}

static int estimate_processes(const struct ksr_command *command,
			      const struct estimate_options *chosen, const pid_t *pids,
			      size_t count)
{
	struct ksr_selection selection = {.pids = pids, .pid_count = count};
	struct ksr_estimate estimate;
	struct ksr_report report;
	struct ksr_fs fs;
	int error = ksr_fs_init(&fs, NULL);
	int status;

	if (error)
		return ksr_failure(command, "cannot open /: %s", strerror(-error));
	error = ksr_report_create(&fs, &selection, &report);
	if (error) {
		ksr_fs_fini(&fs);
		return ksr_failure(command, "cannot read processes: %s", strerror(-error));
	}
	error = ksr_estimate_create(&fs, &report, pids, count, chosen->memory_mib * KSM_MIB,
				    &estimate);
	if (error)
		status = ksr_failure(command, "cannot read memory: %s", strerror(-error));
	else
		status = show(command, chosen, &fs, &report, &estimate);
	if (!error)
		ksr_estimate_destroy(&estimate);
	ksr_report_destroy(&report);
	ksr_fs_fini(&fs);
	return status;
}

static int estimate_main(const struct ksr_command *command, int argc, char **argv)
{
	struct estimate_options chosen = {.memory_mib = DEFAULT_MEMORY_MIB};
	size_t count = 0;
	int status = 0;
	pid_t *pids;
	int first = ksr_options_parse(command, argc, argv, NULL, &chosen, &status);

	if (first < 0)
		return status;
	if (first == argc)
		return ksr_usage_error(command, "a process is missing; give one PID or more");
	pids = calloc((size_t)(argc - first), sizeof(*pids));
	if (!pids)
		return ksr_failure(command, "out of memory");
	for (int i = first; i < argc && !status; i++) {
		if (!ksr_parse_pid(argv[i], &pids[count++]))
			status = ksr_usage_error(command, "'%s' is not a process id; give numbers",
						 argv[i]);
		for (size_t k = 0; k + 1 < count; k++) {
			/* Reading one process twice would show all of it as mergeable. */
			if (pids[k] == pids[count - 1]) {
				count--;
				break;
			}
		}
	}
	if (!status)
		status = estimate_processes(command, &chosen, pids, count);
	free(pids);
	return status;
}

const struct ksr_command ksr_command_estimate = {
	.name = "estimate",
	.arguments = "PID...",
	.summary = "Read the memory of processes and say what would merge",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.tables = tables,
	.table_count = KSM_COUNT_OF(tables),
	.main = estimate_main,
};
