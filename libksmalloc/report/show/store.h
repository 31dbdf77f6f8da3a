/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store: what the groups share without KSM, and why processes do not, as tables.
 *
 * What it is not: computing (join/store.h), or formatting.
 * Invariants: a table has no row where no process was asked to share.
 * Locking and owner: reads the report.
 * Failure: the emitter remembers what it could not take.
 */
#ifndef KSR_SHOW_STORE_H
#define KSR_SHOW_STORE_H

#include "join/report.h"
#include "show/emitter.h"

/* What the groups share without KSM, and why processes do not. */
void ksr_render_stores(const struct ksr_report *report, struct ksr_emitter *emitter);
/* Lines of the totals' section, none where no process was asked to share. */
void ksr_render_store_totals(const struct ksr_totals *totals, struct ksr_emitter *emitter);

#endif
