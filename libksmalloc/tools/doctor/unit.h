/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unit: do the settings of running services forbid what their processes were asked to do?
 *
 * What it is: of each service of systemd's that has processes with a segment, the settings of obstacle.h.
 * What it is not: a look at services that have none: 'ksmalloc enable' says it of these.
 * Locking and owner: one thread; findings go into the caller's list.
 * Failure: where systemd is not there nothing is found.
 */
#ifndef KSR_DOCTOR_UNIT_H
#define KSR_DOCTOR_UNIT_H

#include "join/report.h"
#include "judge/finding.h"

void ksr_check_units(const struct ksr_fs *fs, const struct ksr_report *report, struct ksr_findings *findings);

#endif
