/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shift: for each group in the shared layout, what share of pages two siblings have lost
 * because content moved.
 *
 * What it is: a table; judge/shift.h measures.
 * What it is not: part of a report that was not asked for it: it reads up to 128 MiB of each
 * sibling.
 * Locking and owner: one thread.
 * Failure: a note for each group that has no figure.
 */
#ifndef KSR_REPORT_SHIFT_H
#define KSR_REPORT_SHIFT_H

#include "join/report.h"
#include "show/emitter.h"

void ksr_render_shift(const struct ksr_fs *fs, const struct ksr_report *report,
		      struct ksr_emitter *emitter);

#endif
