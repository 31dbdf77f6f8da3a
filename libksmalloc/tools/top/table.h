/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table: the rows of a view, in columns.
 *
 * What it is: which columns a line has room for, and how wide they are; and the cells.
 * What it is not: a choice of rows.
 * Locking and owner: pure.
 * Failure: none.
 */
#ifndef KSR_TOP_TABLE_H
#define KSR_TOP_TABLE_H

#include "top/line.h"
#include "top/model.h"

struct ksr_top_table {
	uint32_t widths[KSR_TOP_COLUMN_COUNT]; /* 0: not shown */
};

/* history: there is some to be shown. */
void ksr_top_table_plan(struct ksr_top_table *table, const struct ksr_top_model *model, uint32_t width, bool history);
void ksr_top_table_head(const struct ksr_top_table *table, const struct ksr_top_model *model,
			struct ksr_top_line *line);
void ksr_top_table_row(const struct ksr_top_table *table, const struct ksr_top_model *model, size_t row,
		       struct ksr_top_line *line);

#endif
