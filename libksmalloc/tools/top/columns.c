/* SPDX-License-Identifier: BSD-2-Clause */
#include "top/columns.h"

#define RULE(name, key, head, width, rank, views, letter, help) {key, head, width, rank, views, letter, help},
#define KEY(name, key, title) key,
#define TITLE(name, key, title) title,

const struct ksr_top_column_rule ksr_top_columns[KSR_TOP_COLUMN_COUNT] = {KSR_TOP_COLUMNS(RULE)};
const char *const ksr_top_view_keys[KSR_TOP_VIEW_COUNT] = {KSR_TOP_VIEWS(KEY)};
const char *const ksr_top_view_titles[KSR_TOP_VIEW_COUNT] = {KSR_TOP_VIEWS(TITLE)};

bool ksr_top_column_sorts(enum ksr_top_column column, enum ksr_top_view view)
{
	return ksr_top_columns[column].letter && (ksr_top_columns[column].views & 1u << view);
}

const char *ksr_top_column_head(enum ksr_top_column column, enum ksr_top_view view)
{
	static const char *const names[KSR_TOP_VIEW_COUNT] = {"GROUP", "COMMAND", "PLACE"};

	return column == KSR_TOP_COLUMN_NAME ? names[view] : ksr_top_columns[column].head;
}
