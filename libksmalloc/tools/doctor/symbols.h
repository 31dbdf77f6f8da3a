/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbols: code without names in reports, and the packages that have them.
 *
 * What it is not: an installation of these.
 * Invariants: a check that finds nothing wrong says so in one line or is silent.
 * Locking and owner: one thread; findings belong to the caller.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_SYMBOLS_H
#define KSR_DOCTOR_SYMBOLS_H

#include "join/report.h"
#include "judge/finding.h"
#include "names/symbols.h"

/* Code without names in reports, and the packages that have them. */
void ksr_check_symbols(const struct ksr_fs *fs, const struct ksr_report *report, const struct ksr_naming *naming,
		       struct ksr_findings *findings);

#endif
