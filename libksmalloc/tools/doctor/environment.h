/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * environment: what shifts the stack, and limits and threads.
 *
 *
 * Invariants: a check that finds nothing wrong says so in one line or is silent.
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_ENVIRONMENT_H
#define KSR_DOCTOR_ENVIRONMENT_H

#include "judge/worker.h"

/* What shifts the stack, and limits and threads. */
void ksr_check_environments(const struct ksr_workers *workers, struct ksr_findings *findings);

#endif
