/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "top/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "top/head.h"
#include "top/help.h"
#include "top/table.h"

void ksr_top_frame_init(struct ksr_top_frame *frame, bool utf8)
{
	memset(frame, 0, sizeof(*frame));
	frame->utf8 = utf8;
}

void ksr_top_frame_fini(struct ksr_top_frame *frame)
{
	free(frame->lines);
	frame->lines = NULL;
}

static int make_room(struct ksr_top_frame *frame, size_t count)
{
	struct ksr_top_line *larger;

	if (count <= frame->room)
		return 0;
	larger = reallocarray(frame->lines, count, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	frame->lines = larger;
	frame->room = count;
	return 0;
}

static struct ksr_top_line *next_line(struct ksr_top_frame *frame)
{
	struct ksr_top_line *line = &frame->lines[frame->count++];

	ksr_top_line_begin(line, frame->width, frame->utf8);
	return line;
}

/* Groups, processes, places, and what is left out of them. */
static void print_tabs(const struct ksr_top_state *state, struct ksr_top_line *line)
{
	const struct ksr_top_model *model = &state->model;

	for (int i = 0; i < KSR_TOP_VIEW_COUNT; i++) {
		bool shown = (enum ksr_top_view)i == model->view;

		ksr_top_line_print(line, shown ? KSR_TOP_BOLD : KSR_TOP_DIM, shown ? "[%d %s]" : " %d %s ", i + 1,
				   ksr_top_view_titles[i]);
	}
	if (model->in_group)
		ksr_top_line_print(line, KSR_TOP_WARNING, "  group %s", model->group[0] ? model->group : "(none)");
	if (model->filter[0])
		ksr_top_line_print(line, KSR_TOP_WARNING, "  filter /%s", model->filter);
	if (model->row_count < model->all_count)
		ksr_top_line_print(line, KSR_TOP_DIM, "  %zu of %zu", model->row_count, model->all_count);
}

/* At the right end of the tabs, when they are not all to be seen. */
static void print_position(const struct ksr_top_model *model, size_t height, struct ksr_top_line *line)
{
	size_t last = ksm_min(model->first + height, model->row_count);
	char text[64];
	uint32_t columns;

	if (model->row_count <= height)
		return;
	snprintf(text, sizeof(text), "rows %zu-%zu of %zu", model->first + 1, last, model->row_count);
	columns = ksr_top_text_columns(text, line->utf8);
	if (line->columns + columns + 1 > line->width)
		return;
	ksr_top_line_to(line, line->width - columns, KSR_TOP_PLAIN_TEXT);
	ksr_top_line_print(line, KSR_TOP_DIM, "%s", text);
}

static const char *nothing_to_show(const struct ksr_top_state *state)
{
	const struct ksr_top_model *model = &state->model;

	if (!model->sample)
		return "reading...";
	if (model->sample->error)
		return strerror(-model->sample->error);
	if (model->filter[0] && model->all_count)
		return "no row has the text of the filter (Esc ends it)";
	if (model->view == KSR_TOP_VIEW_PLACES && !model->sample->has_places)
		return state->wishes.paused ? "places are read when it goes on (Space)" : "reading places...";
	if (model->view == KSR_TOP_VIEW_PLACES)
		return "no memory of a process is known by place";
	return "no process runs under ksmalloc; start some with 'ksmalloc run'";
}

static void print_rows(struct ksr_top_frame *frame, struct ksr_top_state *state, size_t height, bool is_text)
{
	struct ksr_top_model *model = &state->model;
	struct ksr_top_table table;

	/* One frame has no history. */
	ksr_top_table_plan(&table, model, frame->width, !is_text);
	ksr_top_model_scroll(model, height);
	print_position(model, height, &frame->lines[frame->count - 1]);
	ksr_top_table_head(&table, model, next_line(frame));
	for (size_t i = 0; i < height && model->first + i < model->row_count; i++)
		ksr_top_table_row(&table, model, model->first + i, next_line(frame));
	if (model->row_count == 0 && height)
		ksr_top_line_print(next_line(frame), KSR_TOP_WARNING, "%s", nothing_to_show(state));
}

/* What is typed, what is said of the chosen row, or which keys there are. */
static void print_foot(struct ksr_top_frame *frame, const struct ksr_top_state *state)
{
	const struct ksr_top_model *model = &state->model;
	const struct ksr_top_row *row = model->row_count ? &model->rows[model->chosen] : NULL;
	struct ksr_top_line *line = next_line(frame);

	if (state->mode == KSR_TOP_FILTER) {
		ksr_top_line_print(line, KSR_TOP_BOLD, "/%s", model->filter);
		frame->cursor = true;
		return;
	}
	if (row && row->mark != KSR_TOP_NONE && model->view == KSR_TOP_VIEW_PROCESSES) {
		ksr_top_line_print(line, KSR_TOP_WARNING, "process %d %s", (int)row->pid,
				   ksr_top_mark_sentence(row->mark));
		return;
	}
	ksr_top_line_print(line, KSR_TOP_DIM, "? help  Tab view  <> sort  / filter  %sSpace pause  q quit",
			   model->view == KSR_TOP_VIEW_GROUPS ? "Enter group  " :
			   model->in_group		      ? "Esc groups  " :
								"");
}

int ksr_top_frame_make(struct ksr_top_frame *frame, struct ksr_top_state *state, uint32_t width, size_t height)
{
	bool is_text = height == 0;
	size_t rows;
	int error;

	frame->width = (uint32_t)ksm_max(ksm_min(width, KSR_TOP_MOST_WIDTH), KSR_TOP_LEAST_WIDTH);
	frame->count = 0;
	frame->cursor = false;
	if (is_text)
		height = KSR_TOP_HEAD_LINES + 3 + ksm_max(state->model.row_count, 1);
	height = ksm_max(height, KSR_TOP_LEAST_HEIGHT);
	error = make_room(frame, height);
	if (error)
		return error;
	if (state->mode == KSR_TOP_HELP) {
		state->page = height - 1;
		for (size_t i = 0; i < height; i++)
			ksr_top_help_line(&state->help_first, i, height, next_line(frame));
		return 0;
	}
	/* A low screen has rows rather than what stands above them: two lines stay there in any case. */
	for (size_t i = 0; i < KSR_TOP_HEAD_LINES && (i < 2 || is_text || height >= KSR_TOP_HEAD_LINES + 6); i++)
		ksr_top_head_line(state, i, next_line(frame));
	print_tabs(state, next_line(frame));
	rows = height - frame->count - 2;
	state->page = rows;
	print_rows(frame, state, rows, is_text);
	if (is_text)
		return 0;
	while (frame->count + 1 < height)
		next_line(frame);
	print_foot(frame, state);
	return 0;
}
