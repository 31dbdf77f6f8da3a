/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * screen: what an operator asks first, and then where the memory is.
 *
 * What it is: what is needed and what is saved, by whom, what goes on now, what could be saved besides, and the places.
 * What it is not: the tables of sites, regions and groups (show/report.h), or a computation.
 * Invariants: no word of it needs an explanation of how the library works. Equal input gives equal output.
 * Locking and owner: reads the report.
 * Failure: memory only; the emitter remembers what it could not take.
 */
#ifndef KSR_SHOW_SCREEN_H
#define KSR_SHOW_SCREEN_H

#include "judge/outlook.h"
#include "show/places.h"

struct ksr_screen_options {
	enum ksr_place_key by;
	uint64_t top;	 /* rows; 0: those that hold most of it */
	uint64_t frames; /* lines of the stack below each row */
	bool why;
	bool is_live;
};

void ksr_render_screen(const struct ksr_report *report, struct ksr_symbols *symbols,
		       const struct ksr_screen_options *options, struct ksr_emitter *emitter);

#endif
