/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenMetrics has the suffixes _total and _info in the names of samples and not in that of the family; the older
 * text has them in both, knows no UNIT, and takes an info for a gauge.
 */
#define _GNU_SOURCE
#include "show/metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "ksmalloc/segment.h"
#include "read/number.h"

static const struct ksr_metric metrics[] = {
#define METRIC(id, name, kind, unit, labels, by, help) {name, KSR_METRIC_##kind, unit, labels, KSR_METRIC_##by, help},
	KSR_METRICS(METRIC)
#undef METRIC
};

static const struct sharing {
	const char *key;
	enum ksmalloc_stat_kind kind;
	const char *help;
	size_t offset;
} sharing[] = {
#define ROW(name, kind, help) {#name, KSMALLOC_STAT_##kind, help, offsetof(struct ksmalloc_share_stats, name)},
	KSMALLOC_SHARE_STATS(ROW)
#undef ROW
};

static bool ends_with(const char *text, const char *end)
{
	size_t bytes = strlen(text);

	return bytes >= strlen(end) && strcmp(text + bytes - strlen(end), end) == 0;
}

/* --- families ------------------------------------------------------------------------------ */

static struct ksr_metric metric_of_value(enum ksr_value value, bool of_origins)
{
	struct ksr_metric metric = {
		.kind = KSR_METRIC_GAUGE,
		.unit = "bytes",
		.labels = of_origins ? "group, layout, program, origin, id" : "group, layout",
		.by = KSR_METRIC_BOTH,
	};

	snprintf(metric.name, sizeof(metric.name), "%s%s_bytes", of_origins ? "origin_" : "", ksr_value_key(value));
	snprintf(metric.help, sizeof(metric.help), "%s%s", ksr_value_help(value),
		 of_origins ? ", by who asked for them" : "");
	return metric;
}

/* Microseconds become seconds, the base unit. */
static struct ksr_metric metric_of_sharing(const struct sharing *row)
{
	bool is_time = strcmp(row->key, "work_us_total") == 0;
	bool is_bytes = ends_with(row->key, "_bytes") || ends_with(row->key, "_bytes_total");
	struct ksr_metric metric = {
		.kind = row->kind == KSMALLOC_STAT_COUNTER ? KSR_METRIC_COUNTER : KSR_METRIC_GAUGE,
		.unit = is_time ? "seconds" : is_bytes ? "bytes" : NULL,
		.labels = "group, layout",
		.by = KSR_METRIC_REPORT,
	};

	snprintf(metric.name, sizeof(metric.name), "share_%s", is_time ? "work_seconds_total" : row->key);
	snprintf(metric.help, sizeof(metric.help), "%s", is_time ? "Seconds that steps have taken" : row->help);
	return metric;
}

bool ksr_metrics_has_origins(enum ksr_value value)
{
	return value == KSR_VALUE_HELD || value == KSR_VALUE_PRIVATE || value == KSR_VALUE_SAVED ||
	       value == KSR_VALUE_SHARED;
}

static const char *suffix_of(enum ksr_metric_kind kind)
{
	return kind == KSR_METRIC_COUNTER ? "_total" : kind == KSR_METRIC_INFO ? "_info" : "";
}

static void put_family(struct ksr_exposition *to)
{
	static const char *const types[] = {"gauge", "counter", "info"};
	const struct ksr_metric *family = &to->family;
	bool is_plain_info = !to->openmetrics && family->kind == KSR_METRIC_INFO;
	int bytes = (int)(strlen(family->name) - (to->openmetrics ? strlen(suffix_of(family->kind)) : 0));

	fprintf(to->output, "# HELP ksmalloc_%.*s %s.\n# TYPE ksmalloc_%.*s %s\n", bytes, family->name, family->help, bytes,
		family->name, is_plain_info ? "gauge" : types[family->kind]);
	if (family->unit && to->openmetrics)
		fprintf(to->output, "# UNIT ksmalloc_%.*s %s\n", bytes, family->name, family->unit);
}

void ksr_exposition_family(struct ksr_exposition *to, enum ksr_metric_id id)
{
	to->family = metrics[id];
	put_family(to);
}

void ksr_exposition_value(struct ksr_exposition *to, enum ksr_value value, bool of_origins)
{
	to->family = metric_of_value(value, of_origins);
	put_family(to);
}

bool ksr_exposition_sharing(struct ksr_exposition *to, unsigned int n, size_t *offset, bool *is_microseconds)
{
	if (n >= KSM_COUNT_OF(sharing))
		return false;
	*offset = sharing[n].offset;
	to->family = metric_of_sharing(&sharing[n]);
	*is_microseconds = to->family.unit && strcmp(to->family.unit, "seconds") == 0;
	put_family(to);
	return true;
}

/* --- samples --------------------------------------------------------------------------------- */

void ksr_exposition_begin(struct ksr_exposition *to)
{
	to->labels = 0;
	fprintf(to->output, "ksmalloc_%s", to->family.name);
}

void ksr_exposition_label(struct ksr_exposition *to, const char *name, const char *text)
{
	fprintf(to->output, "%c%s=\"", to->labels++ ? ',' : '{', name);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', to->output);
		putc(*text, to->output);
	}
	putc('"', to->output);
}

void ksr_exposition_end(struct ksr_exposition *to, uint64_t value)
{
	fprintf(to->output, "%s %" PRIu64 "\n", to->labels ? "}" : "", value);
}

void ksr_exposition_end_micro(struct ksr_exposition *to, uint64_t value)
{
	fprintf(to->output, "%s %" PRIu64 ".%06" PRIu64 "\n", to->labels ? "}" : "", value / 1000000, value % 1000000);
}

void ksr_exposition_one(struct ksr_exposition *to, enum ksr_metric_id id, uint64_t value)
{
	if (value == KSR_NONE)
		return;
	ksr_exposition_family(to, id);
	ksr_exposition_begin(to);
	ksr_exposition_end(to, value);
}

void ksr_exposition_one_micro(struct ksr_exposition *to, enum ksr_metric_id id, uint64_t value)
{
	if (value == KSR_NONE)
		return;
	ksr_exposition_family(to, id);
	ksr_exposition_begin(to);
	ksr_exposition_end_micro(to, value);
}

/* --- the list ---------------------------------------------------------------------------------- */

static void list_metric(FILE *output, const struct ksr_metric *metric)
{
	static const char *const kinds[] = {"gauge", "counter", "info"};
	static const char *const by[] = {"", "report", "exporter", "both"};

	fprintf(output, "| `ksmalloc_%s` | %s | %s%s%s | %s | %s |\n", metric->name, kinds[metric->kind],
		metric->labels ? "`" : "", metric->labels ? metric->labels : "", metric->labels ? "`" : "", by[metric->by],
		metric->help);
}

void ksr_metrics_list(FILE *output)
{
	fputs("| metric | kind | labels | written by | what it is |\n|---|---|---|---|---|\n", output);
	for (size_t i = 0; i < KSM_COUNT_OF(metrics); i++)
		list_metric(output, &metrics[i]);
	for (int origins = 0; origins < 2; origins++) {
		for (int i = 0; i < KSR_VALUE_COUNT; i++) {
			struct ksr_metric metric = metric_of_value((enum ksr_value)i, origins);

			if (!origins || ksr_metrics_has_origins((enum ksr_value)i))
				list_metric(output, &metric);
		}
	}
	for (size_t i = 0; i < KSM_COUNT_OF(sharing); i++) {
		struct ksr_metric metric = metric_of_sharing(&sharing[i]);

		list_metric(output, &metric);
	}
}
