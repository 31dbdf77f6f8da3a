/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * origins: a picture as tables of JSON and CSV.
 *
 * What it is: the tables of frames, of origins with their stacks as rows of it, and of sums by group; and what says that
 * it is a report. A saved report (show/saved.h) is read from these.
 * What it is not: for text.
 * Invariants: every index in a stack is that of a row of the table of frames.
 * Locking and owner: reads the picture.
 * Failure: the emitter remembers what it could not take.
 */
#ifndef KSR_SHOW_ORIGINS_H
#define KSR_SHOW_ORIGINS_H

#include "show/emitter.h"
#include "show/picture.h"

/* The section "form" says what it is; both change with KSR_JSON_VERSION only. */
#define KSR_REPORT_FORM "ksmalloc report"

void ksr_render_origins(const struct ksr_picture *picture, struct ksr_emitter *emitter);

#endif
