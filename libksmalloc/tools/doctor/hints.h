/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hints: what a patched kernel offers, and whether it is used.
 *
 * What it is not: a look at each site, which the report has.
 * Invariants: a check that finds nothing wrong says so in one line or is silent.
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_HINTS_H
#define KSR_DOCTOR_HINTS_H

#include "judge/finding.h"
#include "read/kernel.h"

/* What a patched kernel offers, and whether it is used. */
void ksr_check_hints(const struct ksr_fs *fs, const struct ksr_kernel *kernel,
		     struct ksr_findings *findings);

#endif
