/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * finding: what is said of the machine and the processes.
 *
 * What it is: a list that checks add to; each finding says what is, and, unless all
 * is well, what to do.
 * What it is not: a check.
 * Invariants: a finding that is not ok has advice. Keys are stable, for JSON.
 * Locking and owner: one thread; the list owns its strings.
 * Failure: without memory a finding is dropped and `lost` counts it.
 */
#ifndef KSR_JUDGE_FINDING_H
#define KSR_JUDGE_FINDING_H

#include <sys/types.h>

#include "base.h"

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

void ksr_find(struct ksr_findings *findings, enum ksr_level level, const char *key,
	      const char *advice, const char *format, ...) KSM_PRINTF(5, 6);
/*
 * The same for a process, of which why says what is the matter and then, behind a semicolon, what
 * to do (ksr_snapshot_create()); advice is for those that do not say.
 */
void ksr_find_why(struct ksr_findings *findings, enum ksr_level level, const char *key, pid_t pid,
		  const char *why, const char *advice);
/* What was found with this key is at most as bad as that. */
void ksr_findings_lower(struct ksr_findings *findings, const char *key, enum ksr_level most);
void ksr_findings_free(struct ksr_findings *findings);

#endif
