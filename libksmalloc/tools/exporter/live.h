/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live: what a snapshot says, as metrics and for the page.
 *
 * What it is: groups, KSM, costs and the exporter itself, measured at each interval; what the last whole report says
 * of places is joined to it as it was written.
 * What it is not: a reader.
 * Invariants: series are bounded (rows.h, show/openmetrics.h). Names were cleaned; there is no content of memory in it.
 * Locking and owner: reads what it is given.
 * Failure: the streams remember errors of writing.
 */
#ifndef KSR_EXPORTER_LIVE_H
#define KSR_EXPORTER_LIVE_H

#include "exporter/counters.h"
#include "exporter/history.h"
#include "exporter/rows.h"
#include "exporter/whole.h"

/* What the exporter itself takes. */
struct ksr_self {
	uint64_t cpu_us;
	uint64_t resident; /* bytes */
	uint64_t report_peak; /* bytes */
	uint64_t snapshot_us; /* how long the snapshot has taken */
};

struct ksr_live {
	const struct ksr_top_sample *sample;
	const struct ksr_rows *rows;
	const struct ksr_whole *whole;
	const struct ksr_history *history;
	const struct ksr_exporter_counters *counters;
	struct ksr_self self;
	uint64_t interval_ms;
	const char *host;
};

/* families: those of the last whole report in the same dialect; may be empty. */
void ksr_live_metrics(const struct ksr_live *live, bool openmetrics, const char *families, FILE *output);
/* places: a list as JSON. */
void ksr_live_json(const struct ksr_live *live, const char *places, FILE *output);

#endif
