/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks of the processes: what their segments count as failed, how near they
 * are to vm.max_map_count, and which have the library but no segment.
 */
#define _GNU_SOURCE
#include "doctor/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor/exclusion.h"
#include "doctor/made.h"
#include "doctor/share.h"
#include "doctor/symbols.h"
#include "doctor/unit.h"
#include "join/aggregate.h"

/* Failures that a segment counts: field, what it is, what to do, field with the errno or NULL. */
struct failure {
	const char *key;
	size_t counter;
	size_t error; /* 0: none is recorded */
	enum ksr_level level;
	const char *what;
	const char *advice;
};

#define COUNTER(name) offsetof(struct ksmalloc_process_stats, name)

static const struct failure failures[] = {
	{"advise_failed", COUNTER(advise_failed_total), COUNTER(advise_errno), KSR_LEVEL_BAD,
	 "time(s) memory could not be offered to KSM",
	 "EPERM: let the seccomp profile allow madvise; EINVAL: the kernel has no KSM; ENOMEM or "
	 "EAGAIN: raise vm.max_map_count"},
	{"segment_failed", COUNTER(segment_failed_total), COUNTER(segment_errno), KSR_LEVEL_WARN,
	 "time(s) the statistics could not be marked, or their file not be made",
	 "give the process a folder of its own with KSMALLOC_STATS_DIR, or a kernel and a sandbox with "
	 "memfd_create(2)"},
	{"grow_failed", COUNTER(grow_failed_total), 0, KSR_LEVEL_WARN,
	 "time(s) the memory of a site could not grow; the block went to the heap",
	 "raise the memory limit or vm.max_map_count"},
	{"name_failed", COUNTER(name_failed_total), 0, KSR_LEVEL_OK,
	 "time(s) memory could not be named in maps; nothing relies on it", ""},
	{"hint_failed", COUNTER(hint_failed_total), COUNTER(hint_errno), KSR_LEVEL_WARN,
	 "hint(s) refused by the kernel; that memory is scanned like any other",
	 "EAGAIN or ENOMEM: raise vm.max_map_count; EPERM: let the seccomp profile allow "
	 "prctl(PR_SET_VMA)"},
	{"sites_dropped", COUNTER(sites_dropped_total), 0, KSR_LEVEL_WARN,
	 "block(s) counted for the site 'other', because a table is full",
	 "raise KSMALLOC_SITE_BYTES, so that small sites get no memory of their own"},
};

static uint64_t counter_of(const struct ksmalloc_process_stats *stats, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)stats + offset, sizeof(value));
	return value;
}

static void check_failures(const struct ksr_process *process, struct ksr_findings *findings)
{
	const struct ksmalloc_process_stats *stats = &process->snapshot.header.stats;

	for (size_t i = 0; i < KSM_COUNT_OF(failures); i++) {
		const struct failure *failure = &failures[i];
		uint64_t count = counter_of(stats, failure->counter);
		uint64_t number = failure->error ? counter_of(stats, failure->error) : 0;
		const char *error = number && number < 4096 ? strerrorname_np((int)number) : NULL;

		if (count)
			ksr_find(findings, failure->level, failure->key, failure->advice,
				 "process %d (%s): %" PRIu64 " %s%s%s%s",
				 (int)process->snapshot.pid, process->status.command, count,
				 failure->what, error ? " (" : "", error ? error : "",
				 error ? ")" : "");
	}
}

static void check_maps(const struct ksr_process *process, uint64_t most,
		       struct ksr_findings *findings)
{
	size_t count = process->smaps.count;

	if (most && count >= most / 10 * 8)
		ksr_find(findings, KSR_LEVEL_WARN, "max_map_count",
			 "as root: raise vm.max_map_count with sysctl",
			 "process %d (%s) has %zu of at most %" PRIu64 " mappings",
			 (int)process->snapshot.pid, process->status.command, count, most);
}

/* Interpreters whose frames cannot be read, so that memory has the names of C functions only. */
static void check_languages(const struct ksr_process *process, struct ksr_findings *findings)
{
	static const char *const words[] = {
#define LANGUAGE_WORDS(name, key, words) words,
		KSMALLOC_LANGUAGES(LANGUAGE_WORDS)
	};

	for (size_t i = 0; i < KSM_COUNT_OF(words); i++)
		if (process->snapshot.header.languages_unknown >> i & 1)
			ksr_find(findings, KSR_LEVEL_OK, "language_unknown", "",
				 "process %d (%s) runs %s of a version or build whose functions are not known: "
				 "its memory is named by C functions only (docs/profiles.md has the versions)",
				 (int)process->snapshot.pid, process->status.command, words[i]);
}

/* Of the file's name, not of a part of some folder's. */
static bool maps_library(const struct ksr_text *maps)
{
	return memmem(maps->data, maps->size, "/libksmalloc.so", 15) != NULL;
}

static void check_without_segment(const struct ksr_fs *fs, bool everyone,
				  struct ksr_findings *findings)
{
	size_t count = 0;
	pid_t *pids;

	if (ksr_fs_list_processes(fs, &pids, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		struct ksr_map_line map;
		struct ksr_text maps;
		struct stat status;

		if (!everyone && fs->live &&
		    (ksr_fs_stat(fs, &status, "proc/%d", (int)pids[i]) ||
		     status.st_uid != getuid()))
			continue;
		if (ksr_fs_read(fs, &maps, "proc/%d/maps", (int)pids[i]))
			continue;
		if (maps_library(&maps) && !ksr_snapshot_is_mapped(&maps, &map))
			ksr_find(
				findings, KSR_LEVEL_OK, "no_segment", "",
				"process %d has the library but no statistics that are marked: "
				"KSMALLOC_STATS is 0, or memfd_create(2) failed",
				(int)pids[i]);
		ksr_text_free(&maps);
	}
	free(pids);
}

/* Where only root may look into memory, segments have to be files: 'ksmalloc run' sees to it. */
static void check_ptrace(const struct ksr_fs *fs, struct ksr_findings *findings)
{
	uint64_t scope = 0;

	if (ksr_fs_read_u64(fs, &scope, "proc/sys/kernel/yama/ptrace_scope") || scope == 0 ||
	    geteuid() == 0)
		return;
	ksr_find(findings, KSR_LEVEL_OK, "ptrace_scope", "",
		 "kernel.yama.ptrace_scope is %" PRIu64
		 ": you can read statistics that are files only, as 'ksmalloc run' makes them",
		 scope);
}

void ksr_check_processes(const struct ksr_fs *fs, bool everyone, const struct ksr_naming *naming,
			 struct ksr_findings *findings)
{
	struct ksr_selection selection = {.everyone = everyone};
	struct ksr_report report;
	uint64_t most = 0;

	if (ksr_report_create(fs, &selection, &report))
		return;
	(void)ksr_fs_read_u64(fs, &most, "proc/sys/vm/max_map_count");
	for (size_t i = 0; i < report.process_count; i++) {
		check_failures(&report.processes[i], findings);
		check_maps(&report.processes[i], most, findings);
		check_languages(&report.processes[i], findings);
		ksr_check_made_code(fs, &report.processes[i], findings);
		ksr_check_exclusion(&report.processes[i], findings);
	}
	for (size_t i = 0; i < report.rejected_count; i++)
		ksr_find_why(findings, KSR_LEVEL_WARN,
			     report.rejected[i].error == -EACCES ? "segment_denied" :
								   "segment_rejected",
			     report.rejected[i].pid, report.rejected[i].why,
			     "statistics that are damaged tell of an error in the program");
	ksr_check_share(&report, findings);
	ksr_check_units(fs, &report, findings);
	check_ptrace(fs, findings);
	ksr_find(findings, KSR_LEVEL_OK, "processes", "",
		 "%zu processes publish statistics; vm.max_map_count is %" PRIu64,
		 report.process_count, most);
	ksr_check_symbols(fs, &report, naming, findings);
	ksr_report_destroy(&report);
	check_without_segment(fs, everyone, findings);
}
