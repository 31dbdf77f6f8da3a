/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group: what makes the heaps of equal workers differ.
 *
 * What it is: checks over the processes of one group, or of a list, that run the
 * same program: their layouts, files, environments, threads, hash seeds; and a
 * comparison of a sample of the memory of two of them. What a master is beside
 * its workers is no reason: siblings are compared.
 * What it is not: a full comparison, which is ksmalloc-diff(1).
 * Invariants: a check that finds nothing wrong says so in one line or is silent;
 * a worker that cannot be read in part is left out of that check only.
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_GROUP_H
#define KSR_DOCTOR_GROUP_H

#include "judge/finding.h"
#include "names/symbols.h"
#include "read/fs.h"

/* Findings about the group, or where there is no name about the processes. */
void ksr_check_group(const struct ksr_fs *fs, const char *group, const pid_t *pids, size_t count,
		     const struct ksr_naming *naming, struct ksr_findings *findings);

#endif
