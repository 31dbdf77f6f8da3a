/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * places: the tables of single places, where the difference may have begun and which variables of files it is.
 *
 * What it is not: a search for them (pages/first.h).
 * Invariants: what is left out for want of rows is counted in a note.
 * Locking and owner: one thread; names belong to the caller.
 * Failure: memory only; the emitter remembers what it could not take.
 */
#ifndef KSR_DIFF_PLACES_H
#define KSR_DIFF_PLACES_H

#include "names/data.h"
#include "pages/rows.h"
#include "show/causes.h"
#include "show/emitter.h"

/* The tables of single places. */
void ksr_diff_render_first(const struct ksr_diff *diff, struct ksr_diff_names *names, uint64_t top,
			   struct ksr_emitter *emitter);
/* What belongs to a place, in words; true with the variable that is named in them. */
bool ksr_diff_place_detail(struct ksr_diff_names *names, const struct ksr_diff_row *row,
			   const struct ksr_diff_place *place, struct ksr_variable *variable,
			   char *detail, size_t bytes);
void ksr_diff_render_named(const struct ksr_diff *diff, struct ksr_diff_names *names, uint64_t top,
			   struct ksr_emitter *emitter);

#endif
