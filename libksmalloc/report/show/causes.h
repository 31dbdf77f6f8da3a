/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * causes: what the rows and causes of a comparison are called.
 *
 * What it is: a name for each row, by its site, file or kind; the causes in the order of their weight, in words.
 * What it is not: a table.
 * Invariants: equal input gives equal words.
 * Locking and owner: one thread; names belong to the struct.
 * Failure: memory only; what has no name is shown by its id.
 */
#ifndef KSR_SHOW_CAUSES_H
#define KSR_SHOW_CAUSES_H

#include "names/data.h"
#include "names/symbols.h"
#include "pages/rows.h"

struct ksr_diff_names {
	char **rows; /* one for each row of the diff */
	size_t count;
	struct ksr_symbols *symbols;
	struct ksr_data_symbols *data;
};

/* Names of variables are those of the files that the processes have mapped, whatever the naming says of others. */
int ksr_diff_names_create(const struct ksr_fs *fs, const struct ksr_diff *diff, const struct ksr_naming *naming,
			  struct ksr_diff_names *names);
void ksr_diff_names_destroy(struct ksr_diff_names *names);

/*
 * The causes of all rows, those of most pages first. The caller frees the array; NULL when there
 * are none or no memory.
 */
const struct ksr_diff_cause **ksr_diff_causes(const struct ksr_diff *diff, size_t *count);
/* "pointers into [stack], by +416": what the cause is, in words. */
void ksr_diff_cause_text(const struct ksr_diff *diff, const struct ksr_diff_names *names,
			 const struct ksr_diff_cause *cause, char *text, size_t bytes);

#endif
