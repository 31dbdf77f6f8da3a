/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor: findings about the machine and the processes.
 *
 * What it is: checks add findings to a list; each says what is, and, unless all
 * is well, what to do.
 * What it is not: repair. Only doctor.c writes anything, and only with --fix.
 * Invariants: a finding that is not ok has advice. Keys are stable, for JSON.
 * Locking and owner: one thread; the list owns its strings.
 * Failure: without memory a finding is dropped and `lost` counts it.
 */
#ifndef KSR_DOCTOR_DOCTOR_H
#define KSR_DOCTOR_DOCTOR_H

#include "join/report.h"
#include "read/kernel.h"

enum ksr_level {
	KSR_LEVEL_OK,
	KSR_LEVEL_WARN,
	KSR_LEVEL_BAD,
};

struct ksr_finding {
	enum ksr_level level;
	const char *key;
	char *text;
	char *advice; /* empty for ok */
};

struct ksr_findings {
	struct ksr_finding *list;
	size_t count;
	size_t lost;
};

/* pages_to_scan below this is raised by --fix: about 195 MiB/s at the default sleep. */
#define KSR_PAGES_TO_SCAN 1000
/* The kernel's own, which a sleep that is far too long becomes with --fix. */
#define KSR_SLEEP_MILLISECS 20

void ksr_find(struct ksr_findings *findings, enum ksr_level level, const char *key,
	      const char *advice, const char *format, ...) KSM_PRINTF(5, 6);
/*
 * The same for a process, of which why says what is the matter and then, behind a semicolon, what
 * to do (ksr_snapshot_create()); advice is for those that do not say.
 */
void ksr_find_why(struct ksr_findings *findings, enum ksr_level level, const char *key, pid_t pid,
		  const char *why, const char *advice);
void ksr_findings_free(struct ksr_findings *findings);

/* doctor/kernel.c: KSM and the settings of the machine, and what this process may call. */
void ksr_check_kernel(const struct ksr_fs *fs, struct ksr_findings *findings);
/* doctor/kernel.c: is sleep_millisecs so large that KSM merges next to nothing? */
bool ksr_is_huge_sleep(const struct ksr_kernel *kernel);
/* doctor/hints.c: what a patched kernel offers, and whether it is used. */
void ksr_check_hints(const struct ksr_fs *fs, const struct ksr_kernel *kernel,
		     struct ksr_findings *findings);
/* doctor/process.c: the processes that run under ksmalloc. */
void ksr_check_processes(const struct ksr_fs *fs, bool everyone, struct ksr_findings *findings);

/* doctor/exclusion.c: what a process denies to KSM and is not kept out. */
void ksr_check_exclusion(const struct ksr_process *process, struct ksr_findings *findings);

/* doctor/share.c: can processes share without KSM here; and how that goes in the groups of a report. */
void ksr_check_share_machine(const struct ksr_fs *fs, struct ksr_findings *findings);
void ksr_check_share(const struct ksr_report *report, struct ksr_findings *findings);
/* The same for the processes of a group, or where there is no name for these. */
void ksr_check_share_of(const struct ksr_fs *fs, const char *group, const pid_t *pids, size_t count,
			struct ksr_findings *findings);

/* doctor/symbols.c: code without names in reports, and the packages that have them. */
void ksr_check_symbols(const struct ksr_fs *fs, const struct ksr_report *report,
		       struct ksr_findings *findings);

/* doctor/stale.c: segment files that no process maps any more; removed when asked. */
void ksr_check_stale(const struct ksr_fs *fs, bool remove_them, struct ksr_findings *findings);

#endif
