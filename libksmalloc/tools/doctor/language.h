/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * language: hash seeds and flags of interpreters.
 *
 * What it is not: a list of what an interpreter could be told (run/profile.h).
 * Invariants: a check that finds nothing wrong says so in one line or is silent.
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_LANGUAGE_H
#define KSR_DOCTOR_LANGUAGE_H

#include "judge/worker.h"

/* Hash seeds and flags of interpreters. */
void ksr_check_languages(const struct ksr_workers *workers, struct ksr_findings *findings);

#endif
