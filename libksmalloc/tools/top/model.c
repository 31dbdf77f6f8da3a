/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "top/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- keys of rows: a hash of what a row is about --------------------------------------------------- */

static uint64_t mix(uint64_t hash, const void *data, size_t bytes)
{
	const unsigned char *byte = data;

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t key_of(enum ksr_top_view view, const void *data, size_t bytes)
{
	uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), &view, sizeof(view));

	/* Even, and so never that of the total. */
	return mix(hash, data, bytes) << 1;
}

static uint64_t key_of_process(const struct ksr_top_process *process)
{
	uint64_t words[2] = {(uint64_t)process->pid, process->start_ticks};

	return key_of(KSR_TOP_VIEW_PROCESSES, words, sizeof(words));
}

/* --- rows -------------------------------------------------------------------------------------------- */

static struct ksr_top_row row_of_process(const struct ksr_top_process *process)
{
	return (struct ksr_top_row){
		.key = key_of_process(process),
		.pid = process->pid,
		.processes = 1,
		.mark = process->mark,
		.measured = process->measured,
		.name = process->name,
		.group = process->group,
		.figures = process->figures,
	};
}

/* A share of what samples divide is as far off, in proportion, as what is live. */
static int32_t error_of(const struct ksr_top_place *place)
{
	if (!place->live)
		return -1;
	return (int32_t)ksm_min(100 * (double)place->live_error / (double)place->live + 0.5, 100.0);
}

static struct ksr_top_row row_of_place(const struct ksr_top_place *place)
{
	return (struct ksr_top_row){
		.key = key_of(KSR_TOP_VIEW_PLACES, &place->id, sizeof(place->id)),
		.processes = place->processes,
		.measured = true,
		.name = place->name,
		.group = "",
		.figures = place->figures,
		.error_percent = error_of(place),
	};
}

/* Adds a process to the row of its group; one that was not measured only counts. */
static void add_to_group(struct ksr_top_row *rows, size_t *count, const struct ksr_top_process *process)
{
	uint64_t key = key_of(KSR_TOP_VIEW_GROUPS, process->group, strlen(process->group));
	size_t i = 0;

	while (i < *count && rows[i].key != key)
		i++;
	if (i == *count) {
		rows[(*count)++] = (struct ksr_top_row){
			.key = key,
			.name = process->group,
			.group = "",
		};
	}
	rows[i].processes++;
	if (process->mark != KSR_TOP_NONE && rows[i].mark == KSR_TOP_NONE)
		rows[i].mark = process->mark;
	if (!process->measured)
		return;
	rows[i].measured = true;
	ksr_figures_add(&rows[i].figures, &process->figures);
}

static size_t make_groups(const struct ksr_top_sample *sample, struct ksr_top_row *rows)
{
	size_t count = 0;

	for (size_t i = 0; i < sample->process_count; i++) {
		if (sample->processes[i].mark != KSR_TOP_ABSENT)
			add_to_group(rows, &count, &sample->processes[i]);
	}
	return count;
}

static size_t make_rows(const struct ksr_top_model *model, struct ksr_top_row *rows)
{
	const struct ksr_top_sample *sample = model->sample;
	size_t count = 0;

	if (model->view == KSR_TOP_VIEW_GROUPS)
		return make_groups(sample, rows);
	if (model->view == KSR_TOP_VIEW_PLACES) {
		for (size_t i = 0; i < sample->place_count; i++)
			rows[count++] = row_of_place(&sample->places[i]);
		return count;
	}
	for (size_t i = 0; i < sample->process_count; i++) {
		if (!model->in_group || strcmp(sample->processes[i].group, model->group) == 0)
			rows[count++] = row_of_process(&sample->processes[i]);
	}
	return count;
}

/* --- filter and order ---------------------------------------------------------------------------------- */

static bool passes(const struct ksr_top_row *row, const char *filter)
{
	char number[16];

	if (!filter[0] || strcasestr(row->name, filter) || strcasestr(row->group, filter))
		return true;
	snprintf(number, sizeof(number), "%d", (int)row->pid);
	return row->pid && strstr(number, filter);
}

static double value_of(const struct ksr_top_row *row, enum ksr_top_column column)
{
	const struct ksr_figures *figures = &row->figures;
	uint64_t without = ksr_figures_without(figures);

	switch (column) {
	case KSR_TOP_COLUMN_PID:
		return -(double)row->pid;
	case KSR_TOP_COLUMN_NEEDS:
		return (double)figures->needs;
	case KSR_TOP_COLUMN_WITHOUT:
		return (double)without;
	case KSR_TOP_COLUMN_PERCENT:
		return without ? (double)ksr_figures_saved(figures) / (double)without : 0;
	case KSR_TOP_COLUMN_KSM:
		return (double)figures->ksm;
	case KSR_TOP_COLUMN_STORE:
		return (double)figures->store;
	case KSR_TOP_COLUMN_PRIVATE:
		return (double)figures->alone;
	case KSR_TOP_COLUMN_SWAP:
		return (double)figures->swap;
	case KSR_TOP_COLUMN_PROCESSES:
		return row->processes;
	default:
		return (double)ksr_figures_saved(figures);
	}
}

/* Largest first; names and numbers of processes ascend. */
static int compare_rows(const void *left, const void *right, void *user)
{
	const struct ksr_top_model *model = user;
	enum ksr_top_column column = model->sort[model->view];
	const struct ksr_top_row *a = left;
	const struct ksr_top_row *b = right;
	double x = value_of(a, column);
	double y = value_of(b, column);
	int order = 0;

	if (column == KSR_TOP_COLUMN_NAME)
		order = strcmp(a->name, b->name);
	else if (column == KSR_TOP_COLUMN_GROUP)
		order = strcmp(a->group, b->group);
	else if (x != y)
		order = x > y ? -1 : 1;
	if (order)
		return model->reversed[model->view] ? -order : order;
	/* Of those that save nothing the largest are of interest. */
	if (a->figures.needs != b->figures.needs)
		return a->figures.needs > b->figures.needs ? -1 : 1;
	order = strcmp(a->name, b->name);
	if (!order)
		order = (a->pid > b->pid) - (a->pid < b->pid);
	return order ? order : (a->key > b->key) - (a->key < b->key);
}

static void find_chosen(struct ksr_top_model *model)
{
	for (size_t i = 0; i < model->row_count; i++) {
		if (model->rows[i].key == model->chosen_key) {
			model->chosen = i;
			return;
		}
	}
	ksr_top_model_move(model, 0);
}

static int update(struct ksr_top_model *model)
{
	struct ksr_top_row *rows;
	size_t kept = 0;
	size_t count;

	if (!model->sample)
		return 0;
	rows = calloc(model->sample->process_count + model->sample->place_count + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	count = make_rows(model, rows);
	for (size_t i = 0; i < count; i++) {
		if (passes(&rows[i], model->filter))
			rows[kept++] = rows[i];
	}
	qsort_r(rows, kept, sizeof(*rows), compare_rows, model);
	free(model->rows);
	model->rows = rows;
	model->row_count = kept;
	model->all_count = count;
	find_chosen(model);
	return 0;
}

/* --- samples ------------------------------------------------------------------------------------------- */

void ksr_top_model_init(struct ksr_top_model *model)
{
	memset(model, 0, sizeof(*model));
	for (size_t i = 0; i < KSR_TOP_VIEW_COUNT; i++)
		model->sort[i] = KSR_TOP_COLUMN_SAVED;
}

void ksr_top_model_fini(struct ksr_top_model *model)
{
	free(model->rows);
	ksr_top_sample_free(model->sample);
	ksr_top_histories_free(&model->histories);
	memset(model, 0, sizeof(*model));
}

static void remember(struct ksr_top_model *model, const struct ksr_top_row *row)
{
	if (row->measured)
		ksr_top_histories_add(&model->histories, row->key, model->number, ksr_figures_saved(&row->figures));
}

/* Of all views, whichever is looked at. */
static int remember_all(struct ksr_top_model *model)
{
	const struct ksr_top_sample *sample = model->sample;
	struct ksr_top_row *groups = calloc(sample->process_count + 1, sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	memset(&model->total, 0, sizeof(model->total));
	model->group_count = make_groups(sample, groups);
	for (size_t i = 0; i < model->group_count; i++) {
		ksr_figures_add(&model->total, &groups[i].figures);
		remember(model, &groups[i]);
	}
	free(groups);
	for (size_t i = 0; i < sample->process_count; i++) {
		struct ksr_top_row row = row_of_process(&sample->processes[i]);

		remember(model, &row);
	}
	for (size_t i = 0; i < sample->place_count; i++) {
		struct ksr_top_row row = row_of_place(&sample->places[i]);

		remember(model, &row);
	}
	ksr_top_histories_add(&model->histories, KSR_TOP_TOTAL, model->number, ksr_figures_saved(&model->total));
	ksr_top_histories_forget(&model->histories, model->number);
	return 0;
}

int ksr_top_model_take(struct ksr_top_model *model, struct ksr_top_sample *sample)
{
	struct ksr_top_sample *old = model->sample;
	int error;

	model->sample = sample;
	model->number++;
	error = remember_all(model);
	if (!error)
		error = update(model);
	if (error) {
		/* Rows point into the sample of before. */
		free(model->rows);
		model->rows = NULL;
		model->row_count = 0;
	}
	ksr_top_sample_free(old);
	return error;
}

const struct ksr_top_history *ksr_top_model_history(const struct ksr_top_model *model, uint64_t key)
{
	return ksr_top_histories_find(&model->histories, key);
}

/* --- wishes -------------------------------------------------------------------------------------------- */

static int start_at_top(struct ksr_top_model *model)
{
	int error;

	model->chosen = 0;
	model->chosen_key = 0;
	model->first = 0;
	error = update(model);
	ksr_top_model_move(model, 0);
	return error;
}

int ksr_top_model_set_view(struct ksr_top_model *model, enum ksr_top_view view)
{
	model->view = view;
	model->in_group = false;
	return start_at_top(model);
}

int ksr_top_model_set_sort(struct ksr_top_model *model, enum ksr_top_column column)
{
	if (!ksr_top_column_sorts(column, model->view))
		return 0;
	model->reversed[model->view] = model->sort[model->view] == column && !model->reversed[model->view];
	model->sort[model->view] = column;
	return update(model);
}

int ksr_top_model_move_sort(struct ksr_top_model *model, int step)
{
	int column = (int)model->sort[model->view];

	do
		column += step;
	while (column >= 0 && column < KSR_TOP_COLUMN_COUNT &&
	       !ksr_top_column_sorts((enum ksr_top_column)column, model->view));
	if (column < 0 || column >= KSR_TOP_COLUMN_COUNT)
		return 0;
	model->reversed[model->view] = false;
	model->sort[model->view] = (enum ksr_top_column)column;
	return update(model);
}

int ksr_top_model_set_filter(struct ksr_top_model *model, const char *filter)
{
	snprintf(model->filter, sizeof(model->filter), "%s", filter);
	return update(model);
}

int ksr_top_model_enter_group(struct ksr_top_model *model, const char *group)
{
	model->in_group = group != NULL;
	if (group) {
		snprintf(model->group, sizeof(model->group), "%s", group);
		model->view = KSR_TOP_VIEW_PROCESSES;
		model->filter[0] = '\0';
	}
	return start_at_top(model);
}

void ksr_top_model_move(struct ksr_top_model *model, int64_t rows)
{
	int64_t last = (int64_t)model->row_count - 1;
	int64_t wanted = (int64_t)model->chosen + rows;

	if (last < 0) {
		model->chosen = 0;
		return;
	}
	wanted = wanted > last ? last : wanted;
	model->chosen = wanted > 0 ? (size_t)wanted : 0;
	model->chosen_key = model->rows[model->chosen].key;
}

void ksr_top_model_scroll(struct ksr_top_model *model, size_t height)
{
	size_t most = model->row_count > height ? model->row_count - height : 0;

	if (model->chosen < model->first)
		model->first = model->chosen;
	if (height && model->chosen >= model->first + height)
		model->first = model->chosen - height + 1;
	model->first = ksm_min(model->first, most);
}
