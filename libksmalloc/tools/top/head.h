/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * head: what stands above the table.
 *
 * What it is: the lines about the moment, all memory, KSM and the stores.
 * What it is not: a choice of how many of them there is room for.
 * Locking and owner: pure.
 * Failure: none.
 */
#ifndef KSR_TOP_HEAD_H
#define KSR_TOP_HEAD_H

#include "top/act.h"
#include "top/line.h"

#define KSR_TOP_HEAD_LINES 4

/* number: 0 to KSR_TOP_HEAD_LINES - 1, of a line that was begun. */
void ksr_top_head_line(const struct ksr_top_state *state, size_t number, struct ksr_top_line *line);

#endif
