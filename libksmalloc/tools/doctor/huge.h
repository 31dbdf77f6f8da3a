/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * huge: huge pages, and who asked for them; also of a single process.
 *
 *
 * Invariants: a check that finds nothing wrong says so in one line or is silent.
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_HUGE_H
#define KSR_DOCTOR_HUGE_H

#include "judge/worker.h"

/* Huge pages, and who asked for them; also of a single process. */
void ksr_check_huge_pages(const struct ksr_fs *fs, const struct ksr_workers *workers,
			  struct ksr_findings *findings);

#endif
