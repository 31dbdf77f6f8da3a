/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample: what the pages of two workers differ in.
 *
 * What it is not: a full comparison, which is ksmalloc-diff(1).
 * Invariants: a check that finds nothing wrong says so in one line or is silent.
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_SAMPLE_H
#define KSR_DOCTOR_SAMPLE_H

#include "judge/worker.h"
#include "names/symbols.h"

/* What the pages of two members differ in. */
void ksr_check_sample(const struct ksr_fs *fs, const struct ksr_workers *workers, const struct ksr_naming *naming,
		      struct ksr_findings *findings);

#endif
