/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "exporter/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "names/human.h"

static int compare_names(const struct ksr_top_process *a, const struct ksr_top_process *b)
{
	int groups = strcmp(a->group, b->group);

	return groups ? groups : strcmp(a->container, b->container);
}

static int compare_processes(const void *left, const void *right)
{
	return compare_names(*(const struct ksr_top_process *const *)left, *(const struct ksr_top_process *const *)right);
}

static int compare_rows(const void *left, const void *right)
{
	const struct ksr_row *a = left;
	const struct ksr_row *b = right;
	uint64_t x = ksr_figures_without(&a->figures);
	uint64_t y = ksr_figures_without(&b->figures);
	int groups = strcmp(a->group, b->group);

	if (x != y)
		return x > y ? -1 : 1;
	return groups ? groups : strcmp(a->container, b->container);
}

static void add(struct ksr_row *row, uint64_t processes, const struct ksr_figures *figures)
{
	row->processes += processes;
	ksr_figures_add(&row->figures, figures);
}

/* What a process calls its group may be anything. */
static void begin_row(struct ksr_row *row, const struct ksr_top_process *process)
{
	memset(row, 0, sizeof(*row));
	snprintf(row->group, sizeof(row->group), "%.*s", (int)sizeof(row->group) - 1, process->group);
	memcpy(row->container, process->container, sizeof(row->container));
	ksr_clean_text(row->group);
}

static bool is_same_row(const struct ksr_row *a, const struct ksr_row *b)
{
	return strcmp(a->group, b->group) == 0 && strcmp(a->container, b->container) == 0;
}

/* Two names may be one when they are cleaned; such rows are neighbours after sorting by name. */
static int compare_cleaned(const void *left, const void *right)
{
	const struct ksr_row *a = left;
	const struct ksr_row *b = right;
	int groups = strcmp(a->group, b->group);

	return groups ? groups : strcmp(a->container, b->container);
}

static size_t join_equal(struct ksr_row *rows, size_t count)
{
	size_t kept = 0;

	qsort(rows, count, sizeof(*rows), compare_cleaned);
	for (size_t i = 0; i < count; i++) {
		if (kept && is_same_row(&rows[kept - 1], &rows[i]))
			add(&rows[kept - 1], rows[i].processes, &rows[i].figures);
		else
			rows[kept++] = rows[i];
	}
	return kept;
}

static void cut(struct ksr_rows *rows)
{
	struct ksr_row *rest = &rows->rows[KSR_ROWS_MOST];
	size_t count = rows->count;

	if (count <= KSR_ROWS_MOST)
		return;
	for (size_t i = KSR_ROWS_MOST + 1; i < count; i++)
		add(rest, rows->rows[i].processes, &rows->rows[i].figures);
	snprintf(rest->group, sizeof(rest->group), "%s", KSR_ROWS_REST);
	rest->container[0] = '\0';
	rows->count = KSR_ROWS_MOST + 1;
}

int ksr_rows_create(const struct ksr_top_sample *sample, struct ksr_rows *rows)
{
	const struct ksr_top_process **order = calloc(sample->process_count + 1, sizeof(const struct ksr_top_process *));
	size_t count = 0;

	memset(rows, 0, sizeof(*rows));
	rows->rows = calloc(sample->process_count + 1, sizeof(*rows->rows));
	if (!order || !rows->rows) {
		free(order);
		ksr_rows_destroy(rows);
		return -ENOMEM;
	}
	for (size_t i = 0; i < sample->process_count; i++)
		order[i] = &sample->processes[i];
	qsort(order, sample->process_count, sizeof(*order), compare_processes);
	for (size_t i = 0; i < sample->process_count; i++) {
		if (i == 0 || compare_names(order[i - 1], order[i]) != 0)
			begin_row(&rows->rows[count++], order[i]);
		add(&rows->rows[count - 1], 1, &order[i]->figures);
		add(&rows->total, 1, &order[i]->figures);
	}
	free(order);
	rows->count = join_equal(rows->rows, count);
	qsort(rows->rows, rows->count, sizeof(*rows->rows), compare_rows);
	cut(rows);
	return 0;
}

void ksr_rows_destroy(struct ksr_rows *rows)
{
	free(rows->rows);
	memset(rows, 0, sizeof(*rows));
}
