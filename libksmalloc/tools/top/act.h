/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * act: what a key does.
 *
 * What it is: the state of the screen beside the model, and how keys change both.
 * What it is not: drawn, or read from a terminal.
 * Locking and owner: one thread; the state owns its model.
 * Failure: -ENOMEM stays in `error`.
 */
#ifndef KSR_TOP_ACT_H
#define KSR_TOP_ACT_H

#include "top/keys.h"
#include "top/model.h"
#include "top/watch.h"

enum ksr_top_mode {
	KSR_TOP_BROWSE,
	KSR_TOP_HELP,
	KSR_TOP_FILTER, /* what is typed is the filter */
};

struct ksr_top_state {
	struct ksr_top_model model;
	struct ksr_top_wishes wishes;
	enum ksr_top_mode mode;
	char old_filter[KSR_TOP_FILTER_BYTES]; /* before it was changed */
	size_t help_first; /* line of help at the top */
	size_t page;	   /* rows that the screen has */
	uint64_t now_ms;   /* on the machine's clock, 0 where nobody waits for the next sample */
	bool redraw;
	bool quit;
	int error;
};

#define KSR_TOP_LEAST_INTERVAL 100
#define KSR_TOP_MOST_INTERVAL 3600000

void ksr_top_state_init(struct ksr_top_state *state, uint64_t interval_ms);
void ksr_top_state_fini(struct ksr_top_state *state);
/* code: a character, or one of enum ksr_top_code. */
void ksr_top_act(struct ksr_top_state *state, uint32_t code);

#endif
