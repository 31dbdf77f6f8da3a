/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints whose the memory of processes is, as the reading side divides it: what is resident in all, what rows of an
 * origin have of it, what was freed and is kept, what is left of each part, and each origin with its functions.
 */
#include "join/aggregate.h"
#include "join/origin.h"
#include "names/symbols.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ksr_memory sum_of_all(const struct ksr_report *report)
{
	struct ksr_memory all = report->totals.sites;

	ksr_memory_add(&all, &report->totals.nursery);
	for (size_t i = 0; i < KSR_PART_COUNT; i++) {
		ksr_memory_add(&all, &report->parts[i].memory);
		ksr_memory_add(&all, &report->parts[i].beyond);
	}
	return all;
}

/* True if the invariant of origin.h holds. */
static bool print_sums(const struct ksr_report *report)
{
	struct ksr_memory all = sum_of_all(report);
	struct ksr_memory unmarked = report->totals.nursery_unmarked;
	struct ksr_memory owned = {0};

	for (size_t i = 0; i < report->origin_count; i++)
		ksr_memory_add(&owned, &report->origins[i].memory);
	for (size_t i = 0; i < KSR_PART_COUNT; i++) {
		ksr_memory_add(&unmarked, &report->parts[i].unmarked);
		printf("unmarked %" PRIu64 " %s\n", report->parts[i].unmarked.resident, ksr_part_key((enum ksr_part_id)i));
	}
	printf("resident %" PRIu64 "\nowned %" PRIu64 "\nrows %zu\n", all.resident, owned.resident, report->origin_count);
	printf("marks_dropped %" PRIu64 "\n", report->processes[0].snapshot.header.marks_dropped_total);
	printf("kept %" PRIu64 "\n", report->totals.kept.resident);
	ksr_memory_add(&owned, &report->totals.kept);
	ksr_memory_add(&owned, &unmarked);
	return memcmp(&owned, &all, sizeof(all)) == 0;
}

static void print_origin(struct ksr_symbols *symbols, const struct ksr_report *report, const struct ksr_origin *origin)
{
	const struct ksr_snapshot *snapshot = &report->processes[origin->sample_process].snapshot;
	const struct ksr_stack *stack = origin->is_site ? ksr_symbols_stack(symbols, snapshot, origin->sample_index) :
							  ksr_symbols_origin(symbols, snapshot, origin->sample_index);

	printf("origin %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " ", origin->memory.resident, origin->held,
	       origin->held_error, origin->marks);
	for (size_t i = 0; stack && i < stack->count; i++)
		printf("%s<", stack->lines[i].function);
	puts("");
}

int main(int count, char **arguments)
{
	pid_t *pids = calloc((size_t)count, sizeof(*pids));
	struct ksr_selection selection = {.pids = pids, .pid_count = (size_t)count - 1};
	struct ksr_symbols *symbols;
	struct ksr_report report;
	struct ksr_fs fs;
	bool adds_up;

	for (int i = 1; i < count; i++)
		pids[i - 1] = (pid_t)strtol(arguments[i], NULL, 10);
	if (count < 2 || ksr_fs_init(&fs, "/") || ksr_report_create(&fs, &selection, &report) ||
	    report.process_count != selection.pid_count) {
		fprintf(stderr, "usage: owned PID...; each with a segment that can be read\n");
		return 2;
	}
	adds_up = print_sums(&report);
	symbols = ksr_symbols_create(&fs, true);
	for (size_t i = 0; i < report.origin_count && symbols; i++)
		print_origin(symbols, &report, &report.origins[i]);
	if (symbols)
		ksr_symbols_destroy(symbols);
	ksr_report_destroy(&report);
	ksr_fs_fini(&fs);
	free(pids);
	if (!adds_up)
		fprintf(stderr, "origins and what is left do not add up to all\n");
	return !adds_up;
}
