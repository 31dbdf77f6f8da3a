/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live: the view while it runs.
 *
 * What it is: the loop over keys, samples and signals.
 * What it is not: options.
 * Invariants: however it ends, the terminal is as it was before.
 * Locking and owner: the thread that calls it is the only one that handles signals.
 * Failure: -errno; -ENOTTY for a terminal that cannot be drawn on, before anything was changed.
 */
#ifndef KSR_TOP_LIVE_H
#define KSR_TOP_LIVE_H

#include "top/act.h"

struct ksr_top_live {
	const struct ksr_fs *fs;
	const struct ksr_selection *selection;
	const struct ksr_naming *naming;
	bool utf8;
	bool colour;
};

/* Returns when the user quits. A signal that ends the command ends the process, as if nobody had handled it. */
int ksr_top_live_run(const struct ksr_top_live *live, struct ksr_top_state *state);

#endif
