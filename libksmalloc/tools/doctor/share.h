/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share: can processes share without KSM here, and do they?
 *
 * What it is not: a pass: nothing is asked of the processes.
 * Invariants: a check that finds nothing wrong says so in one line or is silent.
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_SHARE_H
#define KSR_DOCTOR_SHARE_H

#include "join/report.h"
#include "judge/finding.h"

/* Can processes share without KSM here; and how that goes in the groups of a report. */
void ksr_check_share_machine(const struct ksr_fs *fs, struct ksr_findings *findings);
void ksr_check_share(const struct ksr_report *report, struct ksr_findings *findings);
/* The same for the processes of a group, or where there is no name for these. */
void ksr_check_share_of(const struct ksr_fs *fs, const char *group, const pid_t *pids, size_t count,
			struct ksr_findings *findings);

#endif
