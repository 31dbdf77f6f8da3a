/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why: reasons why memory is not saved, as a table of sentences with what to do.
 *
 * What it is: the words for what judge/why.h has found.
 * What it is not: a judgement.
 * Invariants: each reason has a command, or says that there is none.
 * Locking and owner: reads what was found.
 * Failure: the emitter remembers what it could not take.
 */
#ifndef KSR_SHOW_WHY_H
#define KSR_SHOW_WHY_H

#include "judge/why.h"
#include "show/causes.h"
#include "show/emitter.h"

/* What was compared, and what it could give: in text only. group: empty where the processes have none. */
void ksr_why_say(const struct ksr_why *why, const char *group, struct ksr_emitter *emitter);
/* One table for all groups: begin, the rows of each, and the emitter's end. */
void ksr_why_begin(struct ksr_emitter *emitter);
/*
 * text: rows whose name has it, each place by itself; NULL: all, and small places of one reason and advice together. At most so many rows; *left grows by those that were left out. Returns how many
 * rows there were.
 */
size_t ksr_why_rows(const struct ksr_why *why, const struct ksr_diff_names *names, const char *group, const char *text,
		    size_t most, struct ksr_emitter *emitter, size_t *left);

#endif
