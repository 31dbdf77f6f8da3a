/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "exporter/live.h"

#include <inttypes.h>
#include <string.h>

#include "show/openmetrics.h"
#include "show/quote.h"

/* --- metrics ------------------------------------------------------------------------------------- */

static void put_build(struct ksr_exposition *to)
{
	ksr_exposition_family(to, KSR_METRIC_BUILD);
	ksr_exposition_begin(to);
	ksr_exposition_label(to, "version", KSMALLOC_VERSION);
	ksr_exposition_end(to, 1);
}

static void put_costs(struct ksr_exposition *to, const struct ksr_top_costs *costs)
{
	ksr_exposition_one_micro(to, KSR_METRIC_KSMD_CPU, costs->ksmd_us_total);
	ksr_exposition_one(to, KSR_METRIC_KEEPERS, costs->keepers);
	ksr_exposition_one_micro(to, KSR_METRIC_KEEPER_CPU, costs->keeper_us_total);
	ksr_exposition_one_micro(to, KSR_METRIC_SHARING_CPU, costs->work_us_total);
}

static void begin_row(struct ksr_exposition *to, const struct ksr_row *row)
{
	ksr_exposition_begin(to);
	ksr_exposition_label(to, "group", row->group);
	ksr_exposition_label(to, "container", row->container);
}

static void put_rows(struct ksr_exposition *to, const struct ksr_rows *rows, enum ksr_metric_id id,
		     uint64_t (*figure)(const struct ksr_row *row))
{
	ksr_exposition_family(to, id);
	for (size_t i = 0; i < rows->count; i++) {
		begin_row(to, &rows->rows[i]);
		ksr_exposition_end(to, figure(&rows->rows[i]));
	}
}

static uint64_t row_processes(const struct ksr_row *row)
{
	return row->processes;
}

static uint64_t row_needs(const struct ksr_row *row)
{
	return row->figures.needs;
}

static uint64_t row_alone(const struct ksr_row *row)
{
	return row->figures.alone;
}

static uint64_t row_swap(const struct ksr_row *row)
{
	return row->figures.swap;
}

static void put_saved(struct ksr_exposition *to, const struct ksr_rows *rows)
{
	ksr_exposition_family(to, KSR_METRIC_GROUP_SAVED);
	for (size_t i = 0; i < rows->count; i++) {
		begin_row(to, &rows->rows[i]);
		ksr_exposition_label(to, "by", "ksm");
		ksr_exposition_end(to, rows->rows[i].figures.ksm);
		begin_row(to, &rows->rows[i]);
		ksr_exposition_label(to, "by", "store");
		ksr_exposition_end(to, rows->rows[i].figures.store);
	}
}

static void put_self(struct ksr_exposition *to, const struct ksr_live *live)
{
	const struct ksr_top_sample *sample = live->sample;
	const struct ksr_exporter_counters *counters = live->counters;

	ksr_exposition_one(to, KSR_METRIC_SNAPSHOT_TIME, (uint64_t)sample->time);
	ksr_exposition_one_micro(to, KSR_METRIC_SNAPSHOT_SECONDS, live->self.snapshot_us);
	ksr_exposition_one_micro(to, KSR_METRIC_OLDEST, (sample->at_ms - sample->oldest_ms) * 1000);
	ksr_exposition_one(to, KSR_METRIC_REPORTS_FAILED, live->whole->failed);
	ksr_exposition_one_micro(to, KSR_METRIC_SELF_CPU, live->self.cpu_us);
	ksr_exposition_one(to, KSR_METRIC_SELF_RESIDENT, live->self.resident);
	ksr_exposition_one(to, KSR_METRIC_REPORT_PEAK, live->self.report_peak);
	ksr_exposition_one(to, KSR_METRIC_REQUESTS, ksr_counter_read(&counters->requests));
	ksr_exposition_one(to, KSR_METRIC_REFUSED, ksr_counter_read(&counters->refused));
	ksr_exposition_one(to, KSR_METRIC_CONNECTIONS, ksr_counter_read(&counters->connections));
	ksr_exposition_one(to, KSR_METRIC_ENDED, ksr_counter_read(&counters->ended));
}

void ksr_live_metrics(const struct ksr_live *live, bool openmetrics, const char *families, FILE *output)
{
	struct ksr_exposition to = {.output = output, .openmetrics = openmetrics};
	const struct ksr_top_sample *sample = live->sample;

	put_build(&to);
	if (sample->kernel.present)
		ksr_openmetrics_kernel(&to, &sample->kernel, sample->page_bytes);
	put_costs(&to, &sample->costs);
	put_rows(&to, live->rows, KSR_METRIC_GROUP_PROCESSES, row_processes);
	put_rows(&to, live->rows, KSR_METRIC_GROUP_NEEDS, row_needs);
	put_saved(&to, live->rows);
	put_rows(&to, live->rows, KSR_METRIC_GROUP_ALONE, row_alone);
	put_rows(&to, live->rows, KSR_METRIC_GROUP_SWAPPED, row_swap);
	put_self(&to, live);
	if (live->whole->time) {
		ksr_exposition_one(&to, KSR_METRIC_REPORT_TIME, live->whole->time);
		ksr_exposition_one_micro(&to, KSR_METRIC_REPORT_SECONDS, live->whole->taken_us);
	}
	fputs(families, output);
	if (openmetrics)
		fputs("# EOF\n", output);
}

/* --- the page ----------------------------------------------------------------------------------------- */

static void put_figures(const struct ksr_row *row, FILE *output)
{
	fprintf(output, "\"processes\":%" PRIu64 ",\"needs\":%" PRIu64 ",\"ksm\":%" PRIu64 ",\"store\":%" PRIu64
		",\"swapped\":%" PRIu64, row->processes, row->figures.needs, row->figures.ksm, row->figures.store,
		row->figures.swap);
}

static void put_groups(const struct ksr_rows *rows, FILE *output)
{
	fputs(",\n\"groups\":[", output);
	for (size_t i = 0; i < rows->count; i++) {
		fputs(i ? ",\n{\"group\":" : "{\"group\":", output);
		ksr_quote(output, rows->rows[i].group);
		fputs(",\"container\":", output);
		ksr_quote(output, rows->rows[i].container);
		putc(',', output);
		put_figures(&rows->rows[i], output);
		putc('}', output);
	}
	putc(']', output);
}

static const char *ksm_word(const struct ksr_kernel *kernel)
{
	return !kernel->present ? "missing" : kernel->run == 1 ? "running" : "stopped";
}

void ksr_live_json(const struct ksr_live *live, const char *places, FILE *output)
{
	const struct ksr_top_sample *sample = live->sample;

	fprintf(output, "{\"version\":\"" KSMALLOC_VERSION "\",\"host\":");
	ksr_quote(output, live->host);
	fprintf(output, ",\"time\":%" PRId64 ",\"interval_ms\":%" PRIu64 ",\"report_time\":%" PRIu64
		",\"ksm\":\"%s\",\"keepers\":%" PRIu32 ",\"resident\":%" PRIu64 ",\n\"total\":{", sample->time,
		live->interval_ms, live->whole->time, ksm_word(&sample->kernel), sample->costs.keepers,
		live->self.resident);
	put_figures(&live->rows->total, output);
	fputs("},\n\"history\":", output);
	ksr_history_write(live->history, output);
	put_groups(live->rows, output);
	fprintf(output, ",\n\"places\":%s}\n", places[0] ? places : "[]");
}
