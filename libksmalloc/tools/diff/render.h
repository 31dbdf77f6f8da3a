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
#include "show/emitter.h"
#include "names/symbols.h"
#include "names/data.h"

struct ksr_diff_names {
	char **rows; /* one for each row of the diff */
	size_t count;
	struct ksr_symbols *symbols;
	struct ksr_data_symbols *data;
};

int ksr_diff_names_create(const struct ksr_fs *fs, const struct ksr_diff *diff, bool resolve,
			  struct ksr_diff_names *names);
void ksr_diff_names_destroy(struct ksr_diff_names *names);

/* top: how many reasons and variables are shown. */
void ksr_diff_render(const struct ksr_diff *diff, struct ksr_diff_names *names, uint64_t top,
		     struct ksr_emitter *emitter);

/* diff/places.c: the tables of single places. */
void ksr_diff_render_first(const struct ksr_diff *diff, struct ksr_diff_names *names, uint64_t top,
			   struct ksr_emitter *emitter);
/* What belongs to a place, in words; true with the variable that is named in them. */
bool ksr_diff_place_detail(struct ksr_diff_names *names, const struct ksr_diff_row *row,
			   const struct ksr_diff_place *place, struct ksr_variable *variable,
			   char *detail, size_t bytes);
void ksr_diff_render_named(const struct ksr_diff *diff, struct ksr_diff_names *names, uint64_t top,
			   struct ksr_emitter *emitter);

/* diff/events.c: after which event the processes went apart. */
void ksr_diff_render_events(const struct ksr_diff *diff, struct ksr_diff_names *names, uint64_t top,
			    struct ksr_emitter *emitter);

/*
 * The causes of all rows, those of most pages first. The caller frees the array; NULL when there
 * are none or no memory.
 */
const struct ksr_diff_cause **ksr_diff_causes(const struct ksr_diff *diff, size_t *count);
/* "pointers into [stack], by +416": what the cause is, in words. */
void ksr_diff_cause_text(const struct ksr_diff *diff, const struct ksr_diff_names *names,
			 const struct ksr_diff_cause *cause, char *text, size_t bytes);

#endif
