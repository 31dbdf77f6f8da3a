/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emitter: tables, values and notes, written as text, JSON or CSV.
 *
 * What it is: callers say what there is (columns, rows, keys, notes); the
 * emitter decides how it looks. No caller branches on the format.
 *
 * What it is not: a place that knows a site or a process.
 *
 * The three forms. Text: aligned columns, sizes in human units, notes as
 * lines; the lines of a list cell follow their row, indented. On a terminal no
 * line is wider than it (show/text.h says how). JSON: one object; it begins
 * with the version of the form, that of the command and the time; a table is an
 * array of objects, values are one object per section, notes an array of
 * strings; sizes are bytes. CSV: one table or section with a head line, so that
 * programs can read it; sizes are bytes; list cells are joined by " < "; notes
 * go to the error output.
 *
 * Invariants: text that came from a process never reaches a terminal as it is:
 * control characters and invalid UTF-8 become '?'.
 *
 * Locking and owner: one thread. Strings are copied; nothing is kept of the
 * caller's.
 *
 * Failure: memory and write errors are remembered and returned by
 * ksr_emitter_finish(), so that callers need one check. JSON, which is written
 * row by row, ends where memory was missing: then it is no JSON.
 */
#ifndef KSR_SHOW_EMITTER_H
#define KSR_SHOW_EMITTER_H

#include <stdio.h>

#include "show/cell.h"

/* Grows when a field of the JSON changes its meaning or goes; new fields do not count. */
#define KSR_JSON_VERSION 1

struct ksr_emitter;

struct ksr_emitter *ksr_emitter_create(const struct ksr_output *chosen, FILE *output);
/* Writes all that was given, frees the emitter, and returns 0 or -errno. */
int ksr_emitter_finish(struct ksr_emitter *emitter);

/* Columns must stay valid until the end of the table; rows have one cell for each. */
void ksr_emitter_table_begin(struct ksr_emitter *emitter, const char *key,
			     const struct ksr_column *columns, size_t count);
/*
 * After that: columns that text leaves out where a line has no room for names, the first of these first. All of them are in
 * JSON and CSV.
 */
void ksr_emitter_spare(struct ksr_emitter *emitter, const char *const *keys, size_t count);
void ksr_emitter_row(struct ksr_emitter *emitter, const struct ksr_cell *cells);
void ksr_emitter_table_end(struct ksr_emitter *emitter);

/*
 * Values of one section follow each other: begin, values, end. Those without a title are shown in
 * JSON and CSV only.
 */
void ksr_emitter_section_begin(struct ksr_emitter *emitter, const char *key);
void ksr_emitter_value(struct ksr_emitter *emitter, const char *key, const char *title,
		       struct ksr_cell cell);
void ksr_emitter_section_end(struct ksr_emitter *emitter);

/* false: what follows is in JSON and CSV only, and text does not show it; notes, too. True at the beginning. */
void ksr_emitter_show_text(struct ksr_emitter *emitter, bool shown);
/* A paragraph for people: in text only. An empty line goes before it where a table or a section was. */
void ksr_emitter_say(struct ksr_emitter *emitter, const char *format, ...) KSM_PRINTF(2, 3);
/* One line of prose. */
void ksr_emitter_note(struct ksr_emitter *emitter, const char *format, ...) KSM_PRINTF(2, 3);

#endif
