/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stale: segment files that no process maps any more.
 *
 * What it is not: for segments in memory.
 * Invariants: a check that finds nothing wrong says so in one line or is silent.
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_STALE_H
#define KSR_DOCTOR_STALE_H

#include "judge/finding.h"
#include "read/fs.h"

/* Segment files that no process maps any more; removed when asked. */
void ksr_check_stale(const struct ksr_fs *fs, bool remove_them, struct ksr_findings *findings);

#endif
