/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain: why a site merges little, in words.
 *
 * What it is: a list of reasons, the most decisive first, drawn from what the
 * kernel and the segments say.
 * What it is not: a measurement. Only ksmalloc-estimate(1) looks at content.
 * Invariants: each reason is a whole sentence with what to do about it.
 * Locking and owner: pure; the strings belong to the caller.
 * Failure: none; without a reason the list is empty.
 */
#ifndef KSR_JUDGE_EXPLAIN_H
#define KSR_JUDGE_EXPLAIN_H

#include "join/report.h"

#define KSR_REASONS_MOST 4
#define KSR_REASON_BYTES 160

struct ksr_reasons {
	char text[KSR_REASONS_MOST][KSR_REASON_BYTES];
	size_t count;
};

/* What holds of all sites alike, or of the machine and nobody knows of which sites; for a note. */
void ksr_explain_machine(const struct ksr_report *report, struct ksr_reasons *reasons);

void ksr_explain_site(const struct ksr_report *report, const struct ksr_site *site,
		      struct ksr_reasons *reasons);

#endif
