/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics: which metrics there are, and the text that says one.
 *
 * What it is: the declaration of every metric, for the report (--openmetrics) and the exporter alike, from which
 * HELP, TYPE, UNIT and the table in docs/monitoring.md come; and the two dialects of text that Prometheus reads.
 * What it is not: a source of values.
 * Invariants: names begin with ksmalloc_, end in their unit (bytes, seconds), and those of counters in _total. What
 * a group counts of sharing comes from the list of the segment (ksmalloc/segment.h), what origins have from that of
 * pictures. Texts of labels are written as they are, but for quotes: whoever has them of a process cleans them first.
 * Locking and owner: constants; a family belongs to its caller.
 * Failure: the stream remembers errors of writing.
 */
#ifndef KSR_SHOW_METRICS_H
#define KSR_SHOW_METRICS_H

#include <stdio.h>

#include "show/picture.h"

/* Who writes it. */
#define KSR_METRIC_REPORT 1u
#define KSR_METRIC_EXPORTER 2u
#define KSR_METRIC_BOTH (KSR_METRIC_REPORT | KSR_METRIC_EXPORTER)

enum ksr_metric_kind {
	KSR_METRIC_GAUGE,
	KSR_METRIC_COUNTER,
	KSR_METRIC_INFO, /* always 1: its labels say something */
};

/* X(id, name, kind, unit or NULL, labels or NULL, who writes it, help) */
#define KSR_METRICS(X) \
	X(BUILD, "build_info", INFO, NULL, "version", EXPORTER, "The release of ksmalloc") \
	X(KSM_RUNNING, "ksm_running", GAUGE, NULL, NULL, BOTH, "Whether KSM runs") \
	X(KSM_SHARED, "ksm_shared_bytes", GAUGE, "bytes", NULL, BOTH, "Bytes of the pages that KSM keeps for others") \
	X(KSM_SAVED, "ksm_saved_bytes", GAUGE, "bytes", NULL, BOTH, \
	  "Bytes that the machine does not use because of KSM") \
	X(KSM_UNSHARED, "ksm_unshared_bytes", GAUGE, "bytes", NULL, BOTH, \
	  "Bytes that KSM has looked at, and that are equal to no others") \
	X(KSM_VOLATILE, "ksm_volatile_bytes", GAUGE, "bytes", NULL, BOTH, \
	  "Bytes that change too often for KSM") \
	X(KSM_SCANNED, "ksm_scanned_pages_total", COUNTER, NULL, NULL, BOTH, "Pages that KSM has looked at") \
	X(KSM_FULL_SCANS, "ksm_full_scans_total", COUNTER, NULL, NULL, BOTH, "Scans of all mergeable memory") \
	X(KSMD_CPU, "ksmd_cpu_seconds_total", COUNTER, "seconds", NULL, EXPORTER, "Processor time of ksmd") \
	X(KEEPERS, "keepers", GAUGE, NULL, NULL, EXPORTER, "Processes that have others share (ksmalloc keep)") \
	X(KEEPER_CPU, "keeper_cpu_seconds_total", COUNTER, "seconds", NULL, EXPORTER, \
	  "Processor time of keepers, since the exporter has started") \
	X(SHARING_CPU, "sharing_seconds_total", COUNTER, "seconds", NULL, EXPORTER, \
	  "Time that processes have spent in steps of sharing, since the exporter has started") \
	X(GROUP_PROCESSES, "group_processes", GAUGE, NULL, "group, container", EXPORTER, "Processes of the group") \
	X(GROUP_NEEDS, "group_needs_bytes", GAUGE, "bytes", "group, container", EXPORTER, \
	  "Bytes that the group needs: Pss, and the files of its store") \
	X(GROUP_SAVED, "group_saved_bytes", GAUGE, "bytes", "group, container, by", EXPORTER, \
	  "Bytes that the group does not need, by KSM (ksm) and by its store (store)") \
	X(GROUP_ALONE, "group_alone_bytes", GAUGE, "bytes", "group, container", EXPORTER, \
	  "Bytes that one process has mapped, and no other") \
	X(GROUP_SWAPPED, "group_swapped_bytes", GAUGE, "bytes", "group, container", EXPORTER, "Bytes in swap") \
	X(PROCESSES, "processes", GAUGE, NULL, "group, layout", BOTH, "Processes that were read") \
	X(STORE, "store_bytes", GAUGE, "bytes", "group, layout", BOTH, \
	  "Bytes that the files of the group's store take") \
	X(PAGE_TABLES, "page_tables_bytes", GAUGE, "bytes", NULL, BOTH, "Bytes of the page tables of the processes") \
	X(UNREADABLE, "unreadable_processes", GAUGE, NULL, NULL, BOTH, "Processes that could not be read") \
	X(COULD_SAVE, "could_be_saved_bytes", GAUGE, "bytes", NULL, BOTH, \
	  "Bytes that the best of the proposals of ksmalloc report would save, at most") \
	X(REPORT_TIME, "report_timestamp_seconds", GAUGE, "seconds", NULL, EXPORTER, \
	  "When the last whole report was made, from which what has a layout, and origins are") \
	X(SNAPSHOT_TIME, "exporter_snapshot_timestamp_seconds", GAUGE, "seconds", NULL, EXPORTER, \
	  "When the last snapshot was made, from which groups and costs are") \
	X(SNAPSHOT_SECONDS, "exporter_snapshot_seconds", GAUGE, "seconds", NULL, EXPORTER, \
	  "How long the last snapshot has taken") \
	X(REPORT_SECONDS, "exporter_report_seconds", GAUGE, "seconds", NULL, EXPORTER, \
	  "How long the last whole report has taken") \
	X(REPORTS_FAILED, "exporter_failed_reports_total", COUNTER, NULL, NULL, EXPORTER, \
	  "Whole reports that came to no end") \
	X(OLDEST, "exporter_oldest_seconds", GAUGE, "seconds", NULL, EXPORTER, \
	  "How old the oldest figures of a process were in the last snapshot") \
	X(SELF_CPU, "exporter_cpu_seconds_total", COUNTER, "seconds", NULL, EXPORTER, \
	  "Processor time of the exporter") \
	X(SELF_RESIDENT, "exporter_resident_memory_bytes", GAUGE, "bytes", NULL, EXPORTER, \
	  "Resident memory of the exporter's two processes") \
	X(REPORT_PEAK, "exporter_report_peak_memory_bytes", GAUGE, "bytes", NULL, EXPORTER, \
	  "Most resident memory that a process has had which made a whole report, and has ended") \
	X(REQUESTS, "exporter_requests_total", COUNTER, NULL, NULL, EXPORTER, "Requests that were answered") \
	X(REFUSED, "exporter_refused_requests_total", COUNTER, NULL, NULL, EXPORTER, \
	  "Of these, requests that got an error: no token, no such page, not GET or HEAD") \
	X(CONNECTIONS, "exporter_connections", GAUGE, NULL, NULL, EXPORTER, "Connections that are open") \
	X(ENDED, "exporter_ended_connections_total", COUNTER, NULL, NULL, EXPORTER, \
	  "Connections that were ended: too many, or too slow")

enum ksr_metric_id {
#define KSR_METRIC_ID(id, name, kind, unit, labels, by, help) KSR_METRIC_##id,
	KSR_METRICS(KSR_METRIC_ID)
#undef KSR_METRIC_ID
		KSR_METRIC_COUNT,
};

struct ksr_metric {
	char name[72];
	enum ksr_metric_kind kind;
	const char *unit;   /* NULL: none */
	const char *labels; /* for people, NULL: none */
	unsigned int by;
	char help[192];
};

/* A text in the making. */
struct ksr_exposition {
	FILE *output;
	bool openmetrics; /* else the older text format of Prometheus */
	struct ksr_metric family;
	unsigned int labels; /* of the sample that is being written */
};

/* Begins a family; its samples follow, and no others. */
void ksr_exposition_family(struct ksr_exposition *to, enum ksr_metric_id id);
/* Of what each group has, or each origin; of origins only some values have a metric. */
bool ksr_metrics_has_origins(enum ksr_value value);
void ksr_exposition_value(struct ksr_exposition *to, enum ksr_value value, bool of_origins);
/* Of what groups count of sharing: the n-th of KSMALLOC_SHARE_STATS; false behind the last one. */
bool ksr_exposition_sharing(struct ksr_exposition *to, unsigned int n, size_t *offset, bool *is_microseconds);

/* A sample is begun, gets its labels, and ends with its value. */
void ksr_exposition_begin(struct ksr_exposition *to);
void ksr_exposition_label(struct ksr_exposition *to, const char *name, const char *text);
void ksr_exposition_end(struct ksr_exposition *to, uint64_t value);
/* value is in millionths. */
void ksr_exposition_end_micro(struct ksr_exposition *to, uint64_t value);
/* A family with one sample without labels; nothing where the value is KSR_NONE. */
void ksr_exposition_one(struct ksr_exposition *to, enum ksr_metric_id id, uint64_t value);
void ksr_exposition_one_micro(struct ksr_exposition *to, enum ksr_metric_id id, uint64_t value);

/* All metrics as rows of a table in Markdown. */
void ksr_metrics_list(FILE *output);

#endif
