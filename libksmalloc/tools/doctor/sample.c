/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first two members, the largest, are compared as ksmalloc-diff(1) does, but of large
 * processes only some stretches. The reasons of most pages become findings.
 */
#define _GNU_SOURCE
#include "doctor/sample.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/since.h"
#include "pages/events.h"
#include "pages/scan.h"
#include "read/sample.h"
#include "show/causes.h"

#define MOST_REASONS 5
/* A reason of less than this part of the pages is not worth a line. */
#define WORTH_PERCENT 1

struct remedy {
	enum ksr_cause cause;
	const char *advice;
};

static const struct remedy remedies[] = {
	{KSR_CAUSE_POINTER_LAYOUT, "start both with 'ksmalloc run --layout=shared --group=NAME'"},
	{KSR_CAUSE_POINTER_SHIFTED,
	 "something of another size or in another order was allocated before; see the findings "
	 "above, and 'ksmalloc diff' for where"},
	{KSR_CAUSE_POINTER_MOVED,
	 "objects were made in another order: hash seeds, or threads that race; see the findings "
	 "above"},
	{KSR_CAUSE_POINTER_OTHER, "the same fields hold other kinds of objects; see 'ksmalloc "
				  "diff' for where"},
	{KSR_CAUSE_MANGLED, "nothing to do: these pages belong to the C library"},
	{KSR_CAUSE_RANDOM, "nothing to do on the stack; elsewhere keep such seeds out of data"},
	{KSR_CAUSE_ID, "keep process and thread ids out of long-lived data, or in a block of "
		       "their own"},
	{KSR_CAUSE_ID_TEXT, "keep names with process ids out of long-lived data"},
	{KSR_CAUSE_TIME, "keep times of starts out of long-lived data, or in a block of their "
			 "own"},
	{KSR_CAUSE_REFERENCES, "one worker has used more of what was loaded: make the start-up equal, or fork the "
			       "workers after loading (gc.freeze() in Python)"},
	{KSR_CAUSE_LOCK, "threads were at work meanwhile; keep locks in a block of their own"},
	{KSR_CAUSE_COUNTER, "counters run with all that was done before: make the start-up equal; "
			    "counters of your own: in a block of their own"},
	{KSR_CAUSE_SET, "the workers have not done the same work yet"},
	{KSR_CAUSE_NOISE, "hashes and seeds: see the finding about hash seeds; 'ksmalloc diff' names the data"},
	{KSR_CAUSE_VALUE, "hashes and seeds: see the finding about hash seeds; 'ksmalloc diff' "
			  "names the data"},
	{KSR_CAUSE_ZERO_PAGE, "the workers have not done the same work yet"},
	{KSR_CAUSE_SHIFTED, "something of another length lies before it: put what differs between "
			    "workers at the end, or make it equally long"},
	{KSR_CAUSE_OTHER, "see 'ksmalloc diff' for where; what is of each worker cannot merge"},
};

static const char *remedy_of(const struct ksr_diff *diff, const struct ksr_diff_cause *cause)
{
	if (cause->target != KSR_REGION_NONE && cause->cause != KSR_CAUSE_POINTER_LAYOUT &&
	    diff->spaces[0]->regions[cause->target].kind == KSR_REGION_STACK)
		return "make environments and arguments of the workers equally long; see the "
		       "findings above";
	for (size_t i = 0; i < KSM_COUNT_OF(remedies); i++) {
		if (remedies[i].cause == cause->cause)
			return remedies[i].advice;
	}
	return "see 'ksmalloc diff'";
}

struct sums {
	uint64_t both;
	uint64_t equal;
};

static struct sums sum_rows(const struct ksr_diff *diff)
{
	struct sums sums = {0};

	for (size_t i = 0; i < diff->row_count; i++) {
		const struct ksr_diff_counts *counts = &diff->rows[i].counts;

		sums.both += counts->both;
		sums.equal += counts->equal + counts->elsewhere_pairs;
	}
	return sums;
}

/* Threads that allocate race for places: worth a word where small blocks differ. */
static void find_race(const struct ksr_diff *diff, const struct ksr_workers *members,
		      struct ksr_findings *findings)
{
	uint64_t both = 0;
	uint64_t equal = 0;

	if (members->list[0].threads < 2)
		return;
	for (size_t i = 0; i < diff->row_count; i++) {
		enum ksr_region_kind kind = diff->rows[i].kind;

		if (kind != KSR_REGION_HEAP && kind != KSR_REGION_NURSERY &&
		    kind != KSR_REGION_MAPPINGS && kind != KSR_REGION_SITE)
			continue;
		both += diff->rows[i].counts.both;
		equal += diff->rows[i].counts.equal;
	}
	if (both && equal * 100 < both * 90)
		ksr_find(findings, KSR_LEVEL_WARN, "race",
			 "let one thread load what is to be shared, before the others start",
			 "each process has %" PRIu64 " threads and %.0f %% of its blocks' pages "
			 "are equal: threads that share a site race for places",
			 members->list[0].threads, 100.0 * (double)equal / (double)both);
}

static void find_reasons(const struct ksr_diff *diff, const struct ksr_diff_names *names,
			 const struct ksr_workers *members, struct ksr_findings *findings)
{
	struct sums sums = sum_rows(diff);
	size_t count;
	const struct ksr_diff_cause **causes = ksr_diff_causes(diff, &count);

	ksr_find(findings, KSR_LEVEL_OK, "sample", "",
		 "processes %d and %d: %" PRIu64 " of %" PRIu64 " pages%s are equal",
		 (int)members->list[0].pid, (int)members->list[1].pid, sums.equal, sums.both,
		 diff->every > 1 ? " of a sample" : "");
	ksr_find_since(diff, members, sums.both, findings);
	for (size_t i = 0; i < count && i < MOST_REASONS; i++) {
		const struct ksr_diff_cause *cause = causes[i];
		char text[512];

		if (cause->pages * 100 < sums.both * WORTH_PERCENT)
			break;
		ksr_diff_cause_text(diff, names, cause, text, sizeof(text));
		ksr_find(findings, KSR_LEVEL_WARN, "reason", remedy_of(diff, cause),
			 "%" PRIu64 " pages of %s: %s", cause->pages, names->rows[cause->row],
			 text);
	}
	free(causes);
	find_race(diff, members, findings);
}

void ksr_check_sample(const struct ksr_fs *fs, const struct ksr_workers *members, const struct ksr_naming *naming,
		      struct ksr_findings *findings)
{
	struct ksr_diff_names names;
	struct ksr_diff diff;
	int error;

	/* A recorded tree has no memory. */
	if (!fs->live || ksr_diff_create(&members->list[0].space, &members->list[1].space, &diff))
		return;
	diff.every = ksr_sample_every(fs, members->list[0].pid);
	error = ksr_events_create(fs, diff.spaces, &diff.events);
	if (!error)
		error = ksr_diff_scan_places(fs, &diff);
	if (!error)
		error = ksr_diff_names_create(fs, &diff, naming, &names);
	if (error) {
		ksr_find(findings, KSR_LEVEL_WARN, "sample",
			 "run the command as the user of these processes, or as root",
			 "memory of processes %d and %d cannot be compared: %s",
			 (int)members->list[0].pid, (int)members->list[1].pid, strerror(-error));
	} else {
		find_reasons(&diff, &names, members, findings);
		ksr_diff_names_destroy(&names);
	}
	ksr_diff_destroy(&diff);
}
