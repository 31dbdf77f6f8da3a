/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "top/table.h"

#include <stdio.h>
#include <string.h>

/* What a name has at least before a column of rank is shown, and what of the rest it leaves to history. */
#define LEAST_NAME 13u
#define ENOUGH_NAME 40u
#define MOST_HISTORY 60u
#define MOST_GROUP 20u

static uint32_t sum_of(const struct ksr_top_table *table)
{
	uint32_t sum = 0;

	/* A blank behind each but the last. */
	for (int i = 0; i < KSR_TOP_COLUMN_COUNT; i++)
		sum += table->widths[i] ? table->widths[i] + 1 : 0;
	return sum;
}

static uint32_t highest_rank(const struct ksr_top_table *table)
{
	uint32_t rank = 0;

	for (int i = 0; i < KSR_TOP_COLUMN_COUNT; i++) {
		if (table->widths[i])
			rank = (uint32_t)ksm_max(rank, ksr_top_columns[i].rank);
	}
	return rank;
}

static void drop(struct ksr_top_table *table, uint32_t rank)
{
	for (int i = 0; i < KSR_TOP_COLUMN_COUNT; i++) {
		if (ksr_top_columns[i].rank == rank)
			table->widths[i] = 0;
	}
}

/* A column takes half of what a name does not need; returns how much. */
static uint32_t widen(struct ksr_top_table *table, enum ksr_top_column column, uint32_t most, uint32_t rest)
{
	uint32_t more;

	if (!table->widths[column] || rest <= ENOUGH_NAME)
		return 0;
	more = (uint32_t)ksm_min((rest - ENOUGH_NAME) / 2, most - table->widths[column]);
	table->widths[column] += more;
	return more;
}

void ksr_top_table_plan(struct ksr_top_table *table, const struct ksr_top_model *model, uint32_t width, bool history)
{
	uint32_t rank;
	uint32_t rest;

	for (int i = 0; i < KSR_TOP_COLUMN_COUNT; i++) {
		bool shown = ksr_top_columns[i].views & 1u << model->view;

		table->widths[i] = shown ? ksr_top_columns[i].width : 0;
	}
	if (!history)
		table->widths[KSR_TOP_COLUMN_HISTORY] = 0;
	/* Who looks at one group knows its name. */
	if (model->in_group)
		table->widths[KSR_TOP_COLUMN_GROUP] = 0;
	for (rank = highest_rank(table); rank && sum_of(table) + LEAST_NAME > width; rank = highest_rank(table))
		drop(table, rank);
	rest = width > sum_of(table) ? width - sum_of(table) : 1;
	rest -= widen(table, KSR_TOP_COLUMN_GROUP, MOST_GROUP, rest);
	rest -= widen(table, KSR_TOP_COLUMN_HISTORY, MOST_HISTORY, rest);
	table->widths[KSR_TOP_COLUMN_NAME] = rest;
}

static enum ksr_top_align align_of(enum ksr_top_column column)
{
	return column == KSR_TOP_COLUMN_NAME || column == KSR_TOP_COLUMN_GROUP || column == KSR_TOP_COLUMN_HISTORY ?
		       KSR_TOP_LEFT :
		       KSR_TOP_RIGHT;
}

static void separate(const struct ksr_top_table *table, int column, struct ksr_top_line *line,
		     enum ksr_top_style style, const char *text)
{
	if (table->widths[column] && column != KSR_TOP_COLUMN_NAME)
		ksr_top_line_cell(line, style, KSR_TOP_LEFT, 1, text);
}

/* Behind the head of the column that sorts: which end is at the top. */
static const char *arrow_of(const struct ksr_top_model *model, const struct ksr_top_line *line)
{
	bool reversed = model->reversed[model->view];

	if (line->utf8)
		return reversed ? "\u25b2" : "\u25bc";
	return reversed ? "^" : "v";
}

void ksr_top_table_head(const struct ksr_top_table *table, const struct ksr_top_model *model,
			struct ksr_top_line *line)
{
	for (int i = 0; i < KSR_TOP_COLUMN_COUNT; i++) {
		enum ksr_top_column column = (enum ksr_top_column)i;
		bool sorts = model->sort[model->view] == column;
		enum ksr_top_style style = sorts ? KSR_TOP_SORTED : KSR_TOP_HEAD;
		bool is_name = column == KSR_TOP_COLUMN_NAME;

		ksr_top_line_cell(line, style, is_name ? KSR_TOP_NATURAL : align_of(column), table->widths[i],
				  ksr_top_column_head(column, model->view));
		if (sorts && is_name)
			ksr_top_line_cell(line, style, KSR_TOP_LEFT, 1, arrow_of(model, line));
		separate(table, i, line, style, sorts ? arrow_of(model, line) : " ");
	}
	ksr_top_line_to(line, line->width, KSR_TOP_HEAD);
}

static void print_bytes(char *text, size_t room, uint64_t bytes)
{
	char figure[KSR_TOP_BYTES_TEXT];

	ksr_top_bytes(bytes, figure);
	snprintf(text, room, "%s", figure);
}

static void print_percent(char *text, size_t room, const struct ksr_figures *figures)
{
	uint64_t without = ksr_figures_without(figures);

	if (without)
		snprintf(text, room, "%.0f", 100 * (double)ksr_figures_saved(figures) / (double)without);
	else
		snprintf(text, room, "-");
}

static void print_error(char *text, size_t room, const struct ksr_top_row *row)
{
	if (row->error_percent < 0)
		snprintf(text, room, "-");
	else
		snprintf(text, room, "%d", (int)row->error_percent);
}

/* What is said of a process comes before its name, which is long and may be cut; of a group behind it. */
static void print_name(char *text, size_t room, const struct ksr_top_row *row, enum ksr_top_view view)
{
	const char *word = ksr_top_mark_word(row->mark);
	bool is_marked = row->mark != KSR_TOP_NONE;

	if (view == KSR_TOP_VIEW_GROUPS)
		snprintf(text, room, is_marked ? "%s [some %s]" : "%s%s", row->name[0] ? row->name : "(no group)", word);
	else
		snprintf(text, room, is_marked ? "[%s] %s" : "%s%s", word, row->name);
}

static void print_text(char *text, size_t room, const struct ksr_top_row *row, enum ksr_top_column column,
		       enum ksr_top_view view)
{
	text[0] = '\0';
	if (column == KSR_TOP_COLUMN_PID)
		snprintf(text, room, "%d", (int)row->pid);
	else if (column == KSR_TOP_COLUMN_PROCESSES)
		snprintf(text, room, "%u", row->processes);
	else if (column == KSR_TOP_COLUMN_GROUP)
		snprintf(text, room, "%s", row->group[0] ? row->group : "-");
	else if (column == KSR_TOP_COLUMN_NAME)
		print_name(text, room, row, view);
	else if (column == KSR_TOP_COLUMN_HISTORY)
		return;
	else if (!row->measured)
		snprintf(text, room, "-");
	else if (column == KSR_TOP_COLUMN_NEEDS)
		print_bytes(text, room, row->figures.needs);
	else if (column == KSR_TOP_COLUMN_WITHOUT)
		print_bytes(text, room, ksr_figures_without(&row->figures));
	else if (column == KSR_TOP_COLUMN_ERROR)
		print_error(text, room, row);
	else if (column == KSR_TOP_COLUMN_SAVED)
		print_bytes(text, room, ksr_figures_saved(&row->figures));
	else if (column == KSR_TOP_COLUMN_PERCENT)
		print_percent(text, room, &row->figures);
	else if (column == KSR_TOP_COLUMN_KSM)
		print_bytes(text, room, row->figures.ksm);
	else if (column == KSR_TOP_COLUMN_STORE)
		print_bytes(text, room, row->figures.store);
	else if (column == KSR_TOP_COLUMN_PRIVATE)
		print_bytes(text, room, row->figures.alone);
	else if (column == KSR_TOP_COLUMN_SWAP)
		print_bytes(text, room, row->figures.swap);
}

static enum ksr_top_style style_of(const struct ksr_top_row *row, enum ksr_top_column column)
{
	if (row->mark != KSR_TOP_NONE && column == KSR_TOP_COLUMN_NAME)
		return KSR_TOP_WARNING;
	if ((column == KSR_TOP_COLUMN_SAVED || column == KSR_TOP_COLUMN_PERCENT) && ksr_figures_saved(&row->figures))
		return KSR_TOP_GOOD;
	return column == KSR_TOP_COLUMN_NEEDS ? KSR_TOP_BOLD : KSR_TOP_PLAIN_TEXT;
}

void ksr_top_table_row(const struct ksr_top_table *table, const struct ksr_top_model *model, size_t number,
		       struct ksr_top_line *line)
{
	const struct ksr_top_row *row = &model->rows[number];
	char text[KSR_TOP_NAME_BYTES + 32];

	line->chosen = number == model->chosen;
	for (int i = 0; i < KSR_TOP_COLUMN_COUNT; i++) {
		enum ksr_top_column column = (enum ksr_top_column)i;

		if (column == KSR_TOP_COLUMN_HISTORY) {
			ksr_top_line_history(line, KSR_TOP_GOOD, table->widths[i],
					     ksr_top_model_history(model, row->key));
		} else {
			print_text(text, sizeof(text), row, column, model->view);
			ksr_top_line_cell(line, style_of(row, column), align_of(column), table->widths[i], text);
		}
		separate(table, i, line, KSR_TOP_PLAIN_TEXT, " ");
	}
	if (line->chosen)
		ksr_top_line_to(line, line->width, KSR_TOP_PLAIN_TEXT);
}
