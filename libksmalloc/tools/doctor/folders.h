/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * folders: folders that changed between the starts of workers.
 *
 * What it is not: a look into them (pages/folders.h).
 * Invariants: a check that finds nothing wrong says so in one line or is silent.
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_FOLDERS_H
#define KSR_DOCTOR_FOLDERS_H

#include "judge/worker.h"

/* Folders that changed between the starts. */
void ksr_check_folders(const struct ksr_fs *fs, const struct ksr_workers *workers,
		       struct ksr_findings *findings);

#endif
