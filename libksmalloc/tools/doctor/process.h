/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * process: the processes that run under ksmalloc, each by itself.
 *
 * What it is not: a comparison (group.h).
 * Invariants: a check that finds nothing wrong says so in one line or is silent.
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_PROCESS_H
#define KSR_DOCTOR_PROCESS_H

#include "judge/finding.h"
#include "names/symbols.h"
#include "read/fs.h"

/* The processes that run under ksmalloc. */
void ksr_check_processes(const struct ksr_fs *fs, bool everyone, const struct ksr_naming *naming,
			 struct ksr_findings *findings);

#endif
