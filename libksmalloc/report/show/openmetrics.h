/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * openmetrics: gauges and counters for Prometheus.
 *
 * What it is: the figures of a report in base units: of the machine, of each group, and of the origins that hold most.
 * What it is not: the declaration of metrics (metrics.h), a server (the exporter, which writes parts of it), or
 * history.
 * Invariants: series are bounded: at most KSR_METRICS_ORIGINS origins, or as many as the caller asks for, have their
 * own, the rest of each group has one; a group beyond KSR_METRICS_GROUPS is in none but the sums. The last line is #
 * EOF.
 * Locking and owner: reads the scene.
 * Failure: the stream remembers errors of writing.
 */
#ifndef KSR_SHOW_OPENMETRICS_H
#define KSR_SHOW_OPENMETRICS_H

#include "show/metrics.h"
#include "show/scene.h"

#define KSR_METRICS_ORIGINS 20
#define KSR_METRICS_GROUPS 200

int ksr_openmetrics_write(const struct ksr_scene *scene, FILE *output);

/* Its parts: what the kernel counts of KSM; */
void ksr_openmetrics_kernel(struct ksr_exposition *to, const struct ksr_kernel *kernel, uint64_t page_bytes);
/* and what a report has of all processes, of groups and of origins, without what groups count of sharing. */
void ksr_openmetrics_report(struct ksr_exposition *to, const struct ksr_scene *scene);

#endif
