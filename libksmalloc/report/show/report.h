/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report: the report as rows, values and notes.
 *
 * What it is: decides what a report shows and in which order; gives it to an
 * emitter.
 * What it is not: formatting, or computing.
 * Invariants: each site of the report is shown or counted in a note; equal
 * input gives equal output.
 * Locking and owner: reads the report, sorts its sites.
 * Failure: memory only; the emitter remembers what it could not take.
 */
#ifndef KSR_SHOW_REPORT_H
#define KSR_SHOW_REPORT_H

#include "join/report.h"
#include "judge/explain.h"
#include "names/symbols.h"
#include "show/emitter.h"
#include "show/places.h"

struct ksr_render_options {
	const char *sort; /* a column's key */
	uint64_t top;	  /* 0: all */
	uint64_t frames;  /* lines of the stack below each site, 0: none */
	bool why;
	bool counters; /* text shows what the kernel counts by site */
	bool empty; /* show sites that hold no memory too */
	bool details; /* text shows the tables of sites, regions and groups in the place of the screen */
	enum ksr_place_key by; /* rows of the screen */
	bool is_live; /* the report is of this moment */
};

/* Is there a column of this key to sort by? */
bool ksr_render_knows_column(const char *key);
/* "live, resident, ...": for help and messages. */
void ksr_render_columns(char *text, size_t bytes);

void ksr_render_report(struct ksr_report *report, struct ksr_symbols *symbols,
		       const struct ksr_render_options *options, struct ksr_emitter *emitter);

#endif
