/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model: what there is to be shown, of all samples so far.
 *
 * What it is: the newest sample as rows of a view, filtered and sorted, the row that is chosen, and history.
 *
 * What it is not: text, or a terminal. It reads nothing.
 *
 * Invariants: the chosen row is known by its key, and so stays the same while others come, go and move; when it is gone,
 * that at its place is chosen. Sorting is stable: what is equal is in the order of needs, names and numbers.
 *
 * Locking and owner: one thread. The model owns samples that it was given; rows point into the newest one and hold until
 * the next call that changes something.
 *
 * Failure: -ENOMEM; then the rows are those of before, or none.
 */
#ifndef KSR_TOP_MODEL_H
#define KSR_TOP_MODEL_H

#include "top/columns.h"
#include "top/history.h"
#include "top/sample.h"

#define KSR_TOP_FILTER_BYTES 64

struct ksr_top_row {
	uint64_t key;
	pid_t pid;
	uint32_t processes;
	enum ksr_top_mark mark;
	bool measured;
	const char *name;
	const char *group; /* of a process */
	struct ksr_figures figures;
	int32_t error_percent; /* of a place: so far off is what it has; below 0: nothing tells whose it is but the whole */
};

struct ksr_top_model {
	struct ksr_top_sample *sample; /* NULL: none yet */
	uint64_t number;	       /* of samples so far */
	enum ksr_top_view view;
	enum ksr_top_column sort[KSR_TOP_VIEW_COUNT];
	bool reversed[KSR_TOP_VIEW_COUNT];
	char filter[KSR_TOP_FILTER_BYTES]; /* empty: all rows */
	bool in_group;			   /* only processes of one group */
	char group[KSMALLOC_GROUP_BYTES];
	struct ksr_top_row *rows;
	size_t row_count;
	size_t all_count; /* rows that the filter hides among them */
	size_t chosen;	  /* row */
	uint64_t chosen_key;
	size_t first; /* row at the top of the screen */
	struct ksr_figures total;
	size_t group_count;
	struct ksr_top_histories histories;
};

void ksr_top_model_init(struct ksr_top_model *model);
void ksr_top_model_fini(struct ksr_top_model *model);
/* Takes over the sample. */
int ksr_top_model_take(struct ksr_top_model *model, struct ksr_top_sample *sample);

int ksr_top_model_set_view(struct ksr_top_model *model, enum ksr_top_view view);
/* The same column again reverses the order. Ignored where the view has no such column. */
int ksr_top_model_set_sort(struct ksr_top_model *model, enum ksr_top_column column);
/* The sorting column of the view before or behind the one that sorts. */
int ksr_top_model_move_sort(struct ksr_top_model *model, int step);
int ksr_top_model_set_filter(struct ksr_top_model *model, const char *filter);
/* Processes of the chosen group, or of all again (NULL). */
int ksr_top_model_enter_group(struct ksr_top_model *model, const char *group);
/* Chooses another row, that many below. */
void ksr_top_model_move(struct ksr_top_model *model, int64_t rows);
/* Sees to it that the chosen row is one of so many from the first on. */
void ksr_top_model_scroll(struct ksr_top_model *model, size_t height);

/* Of a row, or of the total with a key of KSR_TOP_TOTAL; NULL if there is none. */
#define KSR_TOP_TOTAL UINT64_C(1)
const struct ksr_top_history *ksr_top_model_history(const struct ksr_top_model *model, uint64_t key);

#endif
