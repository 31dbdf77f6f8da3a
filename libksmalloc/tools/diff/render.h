/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * render: a comparison as tables and notes.
 *
 * What it is: names for rows, causes and variables, and the order they are shown in.
 * What it is not: a reader of memory, or formatting, which is the emitter's.
 * Invariants: each row with pages is shown; equal input gives equal output.
 * Locking and owner: one thread; names belong to the struct.
 * Failure: memory only; what has no name is shown by its id.
 */
#ifndef KSR_DIFF_RENDER_H
#define KSR_DIFF_RENDER_H

#include "pages/rows.h"
#include "show/causes.h"
#include "show/emitter.h"

/* top: how many reasons and variables are shown. */
void ksr_diff_render(const struct ksr_diff *diff, struct ksr_diff_names *names, uint64_t top,
		     struct ksr_emitter *emitter);

#endif
