/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * since: the event that two workers differ since.
 *
 * What it is not: a comparison: that was made.
 * Invariants: a check that finds nothing wrong says so in one line or is silent.
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_SINCE_H
#define KSR_DOCTOR_SINCE_H

#include "judge/worker.h"

struct ksr_diff;

/* The event that the two that were compared differ since; both: pages that both have. */
void ksr_find_since(const struct ksr_diff *diff, const struct ksr_workers *workers, uint64_t both,
		    struct ksr_findings *findings);

#endif
