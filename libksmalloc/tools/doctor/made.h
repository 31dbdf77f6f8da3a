/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * made: code that processes make at run time, and that nobody has the names of.
 *
 * What it is: the command that writes them, for engines that have one.
 * What it is not: a reader of the names (names/perf_map.h).
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be read is no finding.
 */
#ifndef KSR_DOCTOR_MADE_H
#define KSR_DOCTOR_MADE_H

#include "join/report.h"
#include "judge/finding.h"

/* A process in whose stacks there is such code, and that has no map of it. */
void ksr_check_made_code(const struct ksr_fs *fs, const struct ksr_process *process, struct ksr_findings *findings);

#endif
