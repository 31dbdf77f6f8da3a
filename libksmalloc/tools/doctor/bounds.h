/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bounds: what was more than the shared layout tells apart, and what was in its way.
 *
 * What it is: a finding for each bound that processes of a group have come to, as they count it themselves.
 * What it is not: a comparison of their memory: where all have come to it in the same way, it may be equal all the same.
 * Locking and owner: one thread; the members are the caller's.
 * Failure: a process without statistics, or of a library that does not count this, has come to no bound.
 */
#ifndef KSR_DOCTOR_BOUNDS_H
#define KSR_DOCTOR_BOUNDS_H

#include "judge/worker.h"

void ksr_check_bounds(const struct ksr_workers *members, struct ksr_findings *findings);

#endif
