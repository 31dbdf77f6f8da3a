/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "top/head.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* Where what is said begins. */
#define INDENT 7
/* So much later than it should, a sample is late. */
#define PATIENCE_MS 2000

static void print_title(const struct ksr_top_state *state, struct ksr_top_line *line)
{
	const struct ksr_top_model *model = &state->model;
	const struct ksr_top_sample *sample = model->sample;
	time_t now = sample ? (time_t)sample->time : 0;
	char clock[16] = "";
	struct tm parts;

	if (now && localtime_r(&now, &parts))
		strftime(clock, sizeof(clock), "  %H:%M:%S", &parts);
	ksr_top_line_print(line, KSR_TOP_BOLD, "ksmalloc top");
	ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, "%s  %zu group%s, %zu process%s", clock, model->group_count,
			   model->group_count == 1 ? "" : "s", sample ? sample->process_count : 0,
			   sample && sample->process_count == 1 ? "" : "es");
	if (state->wishes.paused)
		ksr_top_line_print(line, KSR_TOP_WARNING, "  paused");
	else if (model->number > 1)
		ksr_top_line_print(line, KSR_TOP_DIM, "  each %.4g s", (double)state->wishes.interval_ms / 1000);
	/* A process that holds its memory locked keeps the reader waiting, and whole segments take a while. */
	if (sample && !state->wishes.paused && state->now_ms > sample->at_ms + 3 * state->wishes.interval_ms + PATIENCE_MS)
		ksr_top_line_print(line, KSR_TOP_WARNING, "  nothing new for %.0f s",
				   (double)(state->now_ms - sample->at_ms) / 1000);
	/* What was read in turn is not of this moment. */
	else if (sample && sample->at_ms - sample->oldest_ms > 2 * state->wishes.interval_ms)
		ksr_top_line_print(line, KSR_TOP_WARNING, "  figures up to %.0f s old",
				   (double)(sample->at_ms - sample->oldest_ms) / 1000);
}

static void print_figure(struct ksr_top_line *line, enum ksr_top_style style, const char *what, uint64_t bytes)
{
	char text[KSR_TOP_BYTES_TEXT];

	ksr_top_bytes(bytes, text);
	ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, "%s ", what);
	ksr_top_line_cell(line, style, KSR_TOP_NATURAL, sizeof(text), text);
}

static void print_memory(const struct ksr_top_model *model, struct ksr_top_line *line)
{
	uint64_t saved = ksr_figures_saved(&model->total);
	uint64_t without = ksr_figures_without(&model->total);

	ksr_top_line_print(line, KSR_TOP_DIM, "memory");
	ksr_top_line_to(line, INDENT, KSR_TOP_PLAIN_TEXT);
	print_figure(line, KSR_TOP_BOLD, "needs", model->total.needs);
	print_figure(line, KSR_TOP_PLAIN_TEXT, "  without", without);
	print_figure(line, KSR_TOP_GOOD, "  saved", saved);
	if (without)
		ksr_top_line_print(line, KSR_TOP_GOOD, " %.0f%%", 100 * (double)saved / (double)without);
	print_figure(line, KSR_TOP_PLAIN_TEXT, "  KSM", model->total.ksm);
	print_figure(line, KSR_TOP_PLAIN_TEXT, "  store", model->total.store);
	ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, "  ");
	/* At the right, like the columns of rows; as much as has room. */
	if (line->columns + 4 < line->width && model->number > 1)
		ksr_top_line_history(line, KSR_TOP_GOOD, (uint32_t)ksm_min(line->width - line->columns, 60),
				     ksr_top_model_history(model, KSR_TOP_TOTAL));
}

static void print_percent(struct ksr_top_line *line, const char *what, double percent)
{
	if (percent < 0)
		ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, "%s -", what);
	else
		ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, "%s %.1f%%", what, percent);
}

static void print_state_of_ksm(const struct ksr_kernel *kernel, struct ksr_top_line *line)
{
	if (kernel->run != 1) {
		ksr_top_line_print(line, KSR_TOP_WARNING, kernel->run == 2 ? "undone (run 2)" : "stopped (run 0)");
		return;
	}
	ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, "running");
	if (kernel->pages_to_scan != KSR_NONE && kernel->sleep_millisecs != KSR_NONE)
		ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, " %" PRIu64 "/%" PRIu64 "ms", kernel->pages_to_scan,
				   kernel->sleep_millisecs);
}

static void print_ksm(const struct ksr_top_sample *sample, struct ksr_top_line *line)
{
	const struct ksr_kernel *kernel = &sample->kernel;

	ksr_top_line_print(line, KSR_TOP_DIM, "KSM");
	ksr_top_line_to(line, INDENT, KSR_TOP_PLAIN_TEXT);
	if (!kernel->present || kernel->run == KSR_NONE) {
		ksr_top_line_print(line, KSR_TOP_WARNING, "this kernel has none");
		return;
	}
	print_state_of_ksm(kernel, line);
	print_percent(line, "  ksmd", sample->costs.ksmd);
	if (sample->costs.pages >= 0)
		ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, " %.0f pages/s", sample->costs.pages);
	if (kernel->full_scans != KSR_NONE)
		ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, "  %" PRIu64 " scans", kernel->full_scans);
	if (kernel->pages_sharing != KSR_NONE)
		print_figure(line, KSR_TOP_PLAIN_TEXT, "  saves in all", kernel->pages_sharing * sample->page_bytes);
}

static void print_store(const struct ksr_top_sample *sample, struct ksr_top_line *line)
{
	ksr_top_line_print(line, KSR_TOP_DIM, "store");
	ksr_top_line_to(line, INDENT, KSR_TOP_PLAIN_TEXT);
	if (sample->costs.work >= 0)
		ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, "steps of workers %.0f ms/s", sample->costs.work);
	else
		ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, "steps of workers -");
	if (sample->costs.keepers == 1)
		print_percent(line, "  keeper", sample->costs.keeper);
	else if (sample->costs.keepers)
		print_percent(line, "  keepers", sample->costs.keeper);
	else
		ksr_top_line_print(line, KSR_TOP_PLAIN_TEXT, "  no keeper");
	print_percent(line, "  this view", sample->costs.own);
	if (line->columns + 22 <= line->width)
		ksr_top_line_print(line, KSR_TOP_DIM, "  (%% of one processor)");
}

void ksr_top_head_line(const struct ksr_top_state *state, size_t number, struct ksr_top_line *line)
{
	const struct ksr_top_sample *sample = state->model.sample;

	if (number == 0)
		print_title(state, line);
	else if (number == 1)
		print_memory(&state->model, line);
	else if (number == 2 && sample)
		print_ksm(sample, line);
	else if (number == 3 && sample)
		print_store(sample, line);
}
