/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Code without names in reports, and the package that has them. Nothing is wrong
 * with memory then, so these findings are `ok`.
 */
#define _GNU_SOURCE
#include "doctor/symbols.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor/package.h"
#include "names/symbols.h"

/* The sites that a report shows first; more of them would cost time and find the same files. */
#define MOST_SITES 64
#define MOST_FILES 4

/*
 * Names are read from files of the process: only of one's own, and not from a container, of which
 * this machine's packages say nothing.
 */
static bool is_ours(const struct ksr_fs *fs, const struct ksr_process *process)
{
	char theirs[64] = "";
	char ours[64] = "-";

	if (process->status.uid != geteuid() ||
	    ksr_fs_read_link(fs, theirs, sizeof(theirs), "proc/%d/ns/mnt",
			     (int)process->snapshot.pid) < 0 ||
	    ksr_fs_read_link(fs, ours, sizeof(ours), "proc/self/ns/mnt") < 0)
		return false;
	return strcmp(theirs, ours) == 0;
}

static int compare_sites(const void *left, const void *right)
{
	const struct ksr_site *a = *(const struct ksr_site *const *)left;
	const struct ksr_site *b = *(const struct ksr_site *const *)right;

	if (a->memory.resident != b->memory.resident)
		return a->memory.resident > b->memory.resident ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

/* Looks up the stacks of the largest sites. */
static void name_sites(const struct ksr_fs *fs, const struct ksr_report *report,
		       struct ksr_symbols *symbols)
{
	const struct ksr_site **order = calloc(report->site_count + 1, sizeof(*order));
	size_t count = 0;

	for (size_t i = 0; order && i < report->site_count; i++) {
		if (report->sites[i].memory.resident)
			order[count++] = &report->sites[i];
	}
	if (count)
		qsort(order, count, sizeof(*order), compare_sites);
	for (size_t i = 0; i < count && i < MOST_SITES; i++) {
		const struct ksr_process *process = &report->processes[order[i]->sample_process];

		if (is_ours(fs, process))
			(void)ksr_symbols_stack(symbols, &process->snapshot,
						order[i]->sample_index);
	}
	free(order);
}

static void tell_package(const struct ksr_unnamed *file, const struct ksr_debug_package *package,
			 struct ksr_findings *findings)
{
	const char *frames = file->frames == 1 ? "frame has" : "frames have";

	if (package->name[0])
		ksr_find(findings, KSR_LEVEL_OK, "symbols", "",
			 "%zu %s no name in %s: the package %s has them%s", file->frames, frames,
			 file->path, package->name,
			 package->listed
				 ? ""
				 : ", if there is one, in an archive that apt does not know here");
	else
		ksr_find(findings, KSR_LEVEL_OK, "symbols", "",
			 "%zu %s no name in %s, which is of no package: keep its symbols, or its "
			 "debug file beside it",
			 file->frames, frames, file->path);
}

void ksr_check_symbols(const struct ksr_fs *fs, const struct ksr_report *report, const struct ksr_naming *naming,
		       struct ksr_findings *findings)
{
	struct ksr_debug_package packages[MOST_FILES] = {0};
	struct ksr_unnamed files[MOST_FILES];
	struct ksr_symbols *symbols = fs->live ? ksr_symbols_create_for(fs, naming) : NULL;
	size_t count;

	if (!symbols)
		return;
	name_sites(fs, report, symbols);
	count = ksr_symbols_unnamed(symbols, files, MOST_FILES);
	for (size_t i = 0; i < count; i++) {
		packages[i].path = files[i].path;
		packages[i].build_id = files[i].build_id;
	}
	/* Lists of packages are large: they are read only where there is a question. */
	if (count)
		ksr_debug_packages_find(fs, packages, count);
	for (size_t i = 0; i < count; i++)
		tell_package(&files[i], &packages[i], findings);
	ksr_symbols_destroy(symbols);
}
