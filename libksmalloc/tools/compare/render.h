/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * render: a comparison of two reports as tables.
 *
 * What it is: totals, groups, origins by their change, and what is not shared any more.
 * What it is not: formatting, or computing (match.h).
 * Invariants: each origin that has changed is shown or counted in a note.
 * Locking and owner: reads the comparison, sorts it.
 * Failure: the emitter remembers what it could not take.
 */
#ifndef KSR_COMPARE_RENDER_H
#define KSR_COMPARE_RENDER_H

#include "compare/match.h"
#include "show/emitter.h"

struct ksr_compare_options {
	enum ksr_value sort;
	uint64_t top; /* 0: all */
};

void ksr_render_comparison(struct ksr_comparison *comparison, const struct ksr_compare_options *options,
			   struct ksr_emitter *emitter);

#endif
