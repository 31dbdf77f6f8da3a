/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events: after which event the processes went apart, as a table.
 *
 * What it is not: counting by event (pages/events.h).
 * Locking and owner: one thread; names belong to the caller.
 * Failure: memory only; the emitter remembers what it could not take.
 */
#ifndef KSR_DIFF_EVENTS_H
#define KSR_DIFF_EVENTS_H

#include "pages/rows.h"
#include "show/causes.h"
#include "show/emitter.h"

void ksr_diff_render_events(const struct ksr_diff *diff, struct ksr_diff_names *names, uint64_t top,
			    struct ksr_emitter *emitter);

#endif
