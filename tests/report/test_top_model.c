/* SPDX-License-Identifier: BSD-2-Clause */
/* The model of the live view: rows, order, filter, history, what is chosen; and the division of stores. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "top/divide.h"
#include "top/model.h"

#define MIB(n) ((uint64_t)(n)*KSM_MIB)

/* Processes 1 and 2 of group a, 3 of group b; 3 needs most, 1 saves most. */
static const struct ksr_top_process three[] = {
	{.pid = 1, .start_ticks = 10, .measured = true, .group = "a", .name = "worker one",
	 .figures = {.needs = MIB(10), .ksm = MIB(20), .store = MIB(30), .alone = MIB(5), .swap = MIB(1)}},
	{.pid = 2, .start_ticks = 10, .measured = true, .group = "a", .name = "worker two",
	 .figures = {.needs = MIB(20), .ksm = MIB(1)}},
	{.pid = 3, .start_ticks = 10, .measured = true, .group = "b", .name = "Other", .figures = {.needs = MIB(30)}},
};

static struct ksr_top_sample *sample_of(const struct ksr_top_process *processes, size_t count)
{
	struct ksr_top_sample *sample = calloc(1, sizeof(*sample));

	sample->processes = calloc(count + 1, sizeof(*processes));
	memcpy(sample->processes, processes, count * sizeof(*processes));
	sample->process_count = count;
	return sample;
}

static struct ksr_top_model model_of(enum ksr_top_view view)
{
	struct ksr_top_model model;

	ksr_top_model_init(&model);
	model.view = view;
	cr_assert_eq(ksr_top_model_take(&model, sample_of(three, 3)), 0);
	return model;
}

Test(top_model, test_groups_are_sums)
{
	struct ksr_top_model model = model_of(KSR_TOP_VIEW_GROUPS);

	cr_assert_eq(model.row_count, 2);
	cr_assert_str_eq(model.rows[0].name, "a");
	cr_assert_eq(model.rows[0].processes, 2);
	cr_assert_eq(model.rows[0].figures.needs, MIB(30));
	cr_assert_eq(ksr_figures_saved(&model.rows[0].figures), MIB(51));
	cr_assert_eq(ksr_figures_without(&model.rows[0].figures), MIB(81));
	cr_assert_eq(model.total.needs, MIB(60));
	cr_assert_eq(ksr_figures_without(&model.total), MIB(111));
	ksr_top_model_fini(&model);
}

Test(top_model, test_each_column_sorts)
{
	static const struct {
		enum ksr_top_column column;
		pid_t order[3];
	} cases[] = {
		{KSR_TOP_COLUMN_PID, {1, 2, 3}},     {KSR_TOP_COLUMN_NEEDS, {3, 2, 1}},
		{KSR_TOP_COLUMN_WITHOUT, {1, 3, 2}}, {KSR_TOP_COLUMN_SAVED, {1, 2, 3}},
		{KSR_TOP_COLUMN_PERCENT, {1, 2, 3}}, {KSR_TOP_COLUMN_KSM, {1, 2, 3}},
		{KSR_TOP_COLUMN_STORE, {1, 3, 2}},   {KSR_TOP_COLUMN_PRIVATE, {1, 3, 2}},
		{KSR_TOP_COLUMN_SWAP, {1, 3, 2}},    {KSR_TOP_COLUMN_NAME, {3, 1, 2}},
		{KSR_TOP_COLUMN_GROUP, {2, 1, 3}},
	};
	struct ksr_top_model model = model_of(KSR_TOP_VIEW_PROCESSES);

	for (size_t i = 0; i < KSM_COUNT_OF(cases); i++) {
		model.sort[model.view] = KSR_TOP_COLUMN_HISTORY;
		ksr_top_model_set_sort(&model, cases[i].column);
		for (size_t k = 0; k < 3; k++)
			cr_assert_eq(model.rows[k].pid, cases[i].order[k], "%s: row %zu is %d",
				     ksr_top_columns[cases[i].column].key, k, model.rows[k].pid);
	}
	ksr_top_model_fini(&model);
}

Test(top_model, test_sorting_again_reverses)
{
	struct ksr_top_model model = model_of(KSR_TOP_VIEW_PROCESSES);

	ksr_top_model_set_sort(&model, KSR_TOP_COLUMN_NEEDS);
	ksr_top_model_set_sort(&model, KSR_TOP_COLUMN_NEEDS);
	cr_assert_eq(model.rows[0].pid, 1);
	ksr_top_model_set_sort(&model, KSR_TOP_COLUMN_PROCESSES);
	cr_assert_eq(model.sort[model.view], KSR_TOP_COLUMN_NEEDS, "a column of other views is no order of this one");
	ksr_top_model_move_sort(&model, 1);
	cr_assert_eq(model.sort[model.view], KSR_TOP_COLUMN_WITHOUT);
	cr_assert_not(model.reversed[model.view]);
	for (int i = 0; i < 40; i++)
		ksr_top_model_move_sort(&model, 1);
	cr_assert_eq(model.sort[model.view], KSR_TOP_COLUMN_NAME);
	for (int i = 0; i < 40; i++)
		ksr_top_model_move_sort(&model, -1);
	cr_assert_eq(model.sort[model.view], KSR_TOP_COLUMN_PID);
	ksr_top_model_fini(&model);
}

Test(top_model, test_filter)
{
	struct ksr_top_model model = model_of(KSR_TOP_VIEW_PROCESSES);

	ksr_top_model_set_filter(&model, "WORKER");
	cr_assert_eq(model.row_count, 2);
	cr_assert_eq(model.all_count, 3);
	ksr_top_model_set_filter(&model, "b");
	cr_assert_eq(model.row_count, 1);
	ksr_top_model_set_filter(&model, "3");
	cr_assert_eq(model.row_count, 1);
	cr_assert_eq(model.rows[0].pid, 3);
	ksr_top_model_set_filter(&model, "nobody");
	cr_assert_eq(model.row_count, 0);
	ksr_top_model_move(&model, 5);
	ksr_top_model_scroll(&model, 10);
	cr_assert_eq(model.total.needs, MIB(60), "the total is of all");
	ksr_top_model_set_filter(&model, "");
	cr_assert_eq(model.row_count, 3);
	ksr_top_model_fini(&model);
}

Test(top_model, test_group_is_entered)
{
	struct ksr_top_model model = model_of(KSR_TOP_VIEW_GROUPS);

	ksr_top_model_enter_group(&model, model.rows[0].name);
	cr_assert_eq(model.view, KSR_TOP_VIEW_PROCESSES);
	cr_assert_eq(model.row_count, 2);
	ksr_top_model_set_view(&model, KSR_TOP_VIEW_PROCESSES);
	cr_assert_eq(model.row_count, 3);
	ksr_top_model_fini(&model);
}

Test(top_model, test_chosen_row_stays_the_same)
{
	struct ksr_top_model model = model_of(KSR_TOP_VIEW_PROCESSES);
	struct ksr_top_process later[3];

	ksr_top_model_move(&model, 1);
	cr_assert_eq(model.rows[model.chosen].pid, 2);
	memcpy(later, three, sizeof(later));
	later[2].figures.ksm = MIB(500);
	ksr_top_model_take(&model, sample_of(later, 3));
	cr_assert_eq(model.rows[0].pid, 3);
	cr_assert_eq(model.rows[model.chosen].pid, 2);
	cr_assert_eq(model.chosen, 2);
	/* The number stays, the process is another one: then the row at its place is chosen. */
	later[1].start_ticks = 11;
	ksr_top_model_take(&model, sample_of(later, 3));
	cr_assert_eq(model.chosen, 2);
	ksr_top_model_take(&model, sample_of(later, 1));
	cr_assert_eq(model.chosen, 0);
	ksr_top_model_take(&model, sample_of(later, 0));
	cr_assert_eq(model.row_count, 0);
	ksr_top_model_fini(&model);
}

Test(top_model, test_scrolls_as_far_as_needed)
{
	struct ksr_top_process many[100] = {0};
	struct ksr_top_model model;

	for (int i = 0; i < 100; i++)
		many[i] = (struct ksr_top_process){.pid = i + 1, .measured = true};
	ksr_top_model_init(&model);
	model.view = KSR_TOP_VIEW_PROCESSES;
	ksr_top_model_take(&model, sample_of(many, 100));
	ksr_top_model_move(&model, 1000);
	ksr_top_model_scroll(&model, 10);
	cr_assert_eq(model.chosen, 99);
	cr_assert_eq(model.first, 90);
	ksr_top_model_move(&model, -5);
	ksr_top_model_scroll(&model, 10);
	cr_assert_eq(model.first, 90);
	ksr_top_model_move(&model, -1000);
	ksr_top_model_scroll(&model, 10);
	cr_assert_eq(model.first, 0);
	ksr_top_model_fini(&model);
}

Test(top_model, test_history_grows_with_samples_in_each_view)
{
	struct ksr_top_model model = model_of(KSR_TOP_VIEW_GROUPS);
	const struct ksr_top_history *history;
	struct ksr_top_process later[3];
	uint64_t value;

	memcpy(later, three, sizeof(later));
	later[0].figures.ksm = MIB(40);
	ksr_top_model_take(&model, sample_of(later, 3));
	history = ksr_top_model_history(&model, KSR_TOP_TOTAL);
	cr_assert(ksr_top_history_get(history, 0, &value));
	cr_assert_eq(value, MIB(71));
	cr_assert(ksr_top_history_get(history, 1, &value));
	cr_assert_eq(value, MIB(51));
	cr_assert_not(ksr_top_history_get(history, 2, &value));
	ksr_top_model_set_view(&model, KSR_TOP_VIEW_PROCESSES);
	history = ksr_top_model_history(&model, model.rows[0].key);
	cr_assert(ksr_top_history_get(history, 1, &value), "history is kept of rows that nobody looked at");
	cr_assert_eq(value, MIB(50));
	ksr_top_model_fini(&model);
}

Test(top_model, test_row_without_figures_counts_and_adds_nothing)
{
	struct ksr_top_process denied[2] = {three[0], {.pid = 9, .mark = KSR_TOP_DENIED, .group = "a"}};
	struct ksr_top_model model;

	ksr_top_model_init(&model);
	ksr_top_model_take(&model, sample_of(denied, 2));
	cr_assert_eq(model.rows[0].processes, 2);
	cr_assert_eq(model.rows[0].figures.needs, MIB(10));
	cr_assert_eq(model.rows[0].mark, KSR_TOP_DENIED);
	ksr_top_model_fini(&model);
}

Test(top_model, test_thousands_that_come_and_go_are_forgotten)
{
	struct ksr_top_model model;

	ksr_top_model_init(&model);
	for (int i = 0; i < 5000; i++) {
		struct ksr_top_process one = {.pid = i + 1, .start_ticks = (uint64_t)i, .measured = true};

		cr_assert_eq(ksr_top_model_take(&model, sample_of(&one, 1)), 0);
	}
	cr_assert_leq(model.histories.count, KSR_TOP_KEPT + 3);
	ksr_top_model_fini(&model);
}

Test(top_history, test_ring)
{
	struct ksr_top_histories histories = {0};
	const struct ksr_top_history *history;
	uint64_t value;

	for (uint64_t i = 0; i < 1000; i++)
		ksr_top_histories_add(&histories, 7, i, i);
	ksr_top_histories_add(&histories, 7, 999, 5000);
	history = ksr_top_histories_find(&histories, 7);
	cr_assert(ksr_top_history_get(history, 0, &value));
	cr_assert_eq(value, 5000, "a second value of one sample takes the place of the first");
	cr_assert(ksr_top_history_get(history, KSR_TOP_POINTS - 1, &value));
	cr_assert_eq(value, 1000 - KSR_TOP_POINTS);
	cr_assert_not(ksr_top_history_get(history, KSR_TOP_POINTS, &value));
	cr_assert_null(ksr_top_histories_find(&histories, 8));
	cr_assert_not(ksr_top_history_get(NULL, 0, &value));
	ksr_top_histories_free(&histories);
}

/* --- stores ------------------------------------------------------------------------------------------ */

static struct ksmalloc_segment_store_file files[2][KSMALLOC_MAX_STORE_FILES];

Test(top_divide, test_sums_stay)
{
	struct ksr_figures figures[3] = {0};
	struct ksr_top_sharer sharers[3] = {
		{.store = 5, .pss = MIB(30), .store_pss = MIB(10), .shared = MIB(60), .files = files[0], .figures = &figures[0]},
		{.store = 0, .pss = MIB(7), .figures = &figures[1]},
		{.store = 5, .pss = MIB(20), .store_pss = MIB(5), .shared = MIB(20), .files = files[1], .figures = &figures[2]},
	};

	/* Both say of one file, one of them more; and there is another one. */
	files[0][0] = (struct ksmalloc_segment_store_file){77, MIB(30)};
	files[1][3] = (struct ksmalloc_segment_store_file){77, MIB(20)};
	files[1][4] = (struct ksmalloc_segment_store_file){78, MIB(10)};
	cr_assert_eq(ksr_top_divide(sharers, 3), 0);
	cr_assert_eq(figures[1].needs, MIB(7));
	cr_assert_eq(figures[1].store, 0);
	/* 40 MiB of store, in the proportion of 60 to 20. */
	cr_assert_eq(figures[0].needs, MIB(20 + 30));
	cr_assert_eq(figures[0].store, MIB(30));
	cr_assert_eq(figures[2].needs, MIB(15 + 10));
	cr_assert_eq(figures[2].store, MIB(10));
}

Test(top_divide, test_hostile_counters)
{
	struct ksr_figures figures[2] = {0};
	struct ksr_top_sharer sharers[2] = {
		{.store = 5, .pss = MIB(1), .store_pss = MIB(9), .shared = UINT64_MAX, .files = files[0], .figures = &figures[0]},
		{.store = 5, .pss = MIB(1), .shared = 0, .files = files[1], .figures = &figures[1]},
	};

	for (size_t i = 0; i < KSMALLOC_MAX_STORE_FILES; i++)
		files[0][i] = files[1][i] = (struct ksmalloc_segment_store_file){i + 1, UINT64_MAX};
	cr_assert_eq(ksr_top_divide(sharers, 2), 0);
	for (size_t i = 0; i < 2; i++)
		cr_assert_leq(ksr_figures_without(&figures[i]), UINT64_C(1) << 58, "no sum overflows");
	cr_assert_eq(ksr_top_divide(sharers, 0), 0);
}

Test(top_divide, test_store_that_nobody_maps_yet)
{
	struct ksr_figures figures[2] = {0};
	struct ksr_top_sharer sharers[2] = {
		{.store = 5, .files = files[0], .figures = &figures[0]},
		{.store = 5, .files = files[0], .figures = &figures[1]},
	};

	memset(files, 0, sizeof(files));
	files[0][0] = (struct ksmalloc_segment_store_file){1, MIB(10)};
	cr_assert_eq(ksr_top_divide(sharers, 2), 0);
	cr_assert_eq(figures[0].needs + figures[1].needs, MIB(10), "it takes memory all the same");
}
