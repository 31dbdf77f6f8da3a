/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exclusion: what a process denies to KSM and is not kept out.
 *
 * What it is not: a search for who made it mergeable.
 * Invariants: a check that finds nothing wrong says so in one line or is silent.
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_EXCLUSION_H
#define KSR_DOCTOR_EXCLUSION_H

#include "join/process.h"
#include "judge/finding.h"

/* What a process denies to KSM and is not kept out. */
void ksr_check_exclusion(const struct ksr_process *process, struct ksr_findings *findings);

#endif
