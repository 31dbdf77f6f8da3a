/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * regions: memory outside of sites, and the layouts of groups, as tables.
 *
 * What it is not: computing (join/part.h, join/group.h), or formatting.
 * Invariants: a table has no row where there is nothing to tell.
 * Locking and owner: reads the report.
 * Failure: the emitter remembers what it could not take.
 */
#ifndef KSR_SHOW_REGIONS_H
#define KSR_SHOW_REGIONS_H

#include "join/report.h"
#include "show/emitter.h"

/* Memory outside of sites, and the layouts of groups, if there is any to tell of. */
void ksr_render_parts(const struct ksr_report *report, struct ksr_emitter *emitter);
void ksr_render_groups(const struct ksr_report *report, struct ksr_emitter *emitter);

#endif
