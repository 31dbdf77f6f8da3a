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
 * ksr_emitter_finish(), so that callers need one check.
 */
#ifndef KSR_SHOW_EMITTER_H
#define KSR_SHOW_EMITTER_H

#include <stdio.h>

#include "base.h"

enum ksr_format {
	KSR_FORMAT_TEXT,
	KSR_FORMAT_JSON,
	KSR_FORMAT_CSV,
};

/* How the output shall look; all zero is text that fits the terminal. */
struct ksr_output {
	enum ksr_format format;
	const char *table; /* CSV: the key of the table or section that is written */
	uint64_t width; /* text: that no line shall exceed; 0: that of the terminal, if it is one */
};

/* Grows when a field of the JSON changes its meaning or goes; new fields do not count. */
#define KSR_JSON_VERSION 1

enum ksr_cell_kind {
	KSR_CELL_NONE,	   /* not known: "-", null, empty */
	KSR_CELL_TEXT,	   /* a name: of one that is too long for a line the middle is left out */
	KSR_CELL_SENTENCE, /* in the last column that text shows: wrapped instead */
	KSR_CELL_BYTES,
	KSR_CELL_COUNT,
	KSR_CELL_PERCENT,
	KSR_CELL_BOOL,
	KSR_CELL_LIST,
};

struct ksr_cell {
	enum ksr_cell_kind kind;
	union {
		const char *text; /* TEXT, SENTENCE */
		uint64_t number;  /* BYTES, COUNT, BOOL */
		double percent;
		struct {
			const char *const *items;
			size_t count;
		} list;
	};
};

struct ksr_column {
	const char *key;   /* in JSON and CSV */
	const char *title; /* in text; NULL: shown in JSON and CSV only */
};

struct ksr_emitter;

struct ksr_emitter *ksr_emitter_create(const struct ksr_output *chosen, FILE *output);
/* Writes all that was given, frees the emitter, and returns 0 or -errno. */
int ksr_emitter_finish(struct ksr_emitter *emitter);

/* Columns must stay valid until the end of the table; rows have one cell for each. */
void ksr_emitter_table_begin(struct ksr_emitter *emitter, const char *key,
			     const struct ksr_column *columns, size_t count);
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

/* One line of prose. */
void ksr_emitter_note(struct ksr_emitter *emitter, const char *format, ...) KSM_PRINTF(2, 3);

KSM_INLINE struct ksr_cell ksr_cell_text(const char *text)
{
	return (struct ksr_cell){.kind = text ? KSR_CELL_TEXT : KSR_CELL_NONE, .text = text};
}

KSM_INLINE struct ksr_cell ksr_cell_sentence(const char *text)
{
	return (struct ksr_cell){.kind = KSR_CELL_SENTENCE, .text = text};
}

KSM_INLINE struct ksr_cell ksr_cell_bytes(uint64_t bytes)
{
	return (struct ksr_cell){.kind = KSR_CELL_BYTES, .number = bytes};
}

KSM_INLINE struct ksr_cell ksr_cell_count(uint64_t count)
{
	return (struct ksr_cell){.kind = KSR_CELL_COUNT, .number = count};
}

KSM_INLINE struct ksr_cell ksr_cell_bool(bool value)
{
	return (struct ksr_cell){.kind = KSR_CELL_BOOL, .number = value};
}

/* 100 * part / whole; not known when there is no whole. */
KSM_INLINE struct ksr_cell ksr_cell_percent(uint64_t part, uint64_t whole)
{
	return (struct ksr_cell){.kind = whole ? KSR_CELL_PERCENT : KSR_CELL_NONE,
				 .percent = whole ? 100.0 * (double)part / (double)whole : 0};
}

KSM_INLINE struct ksr_cell ksr_cell_list(const char *const *items, size_t count)
{
	return (struct ksr_cell){.kind = KSR_CELL_LIST, .list = {items, count}};
}

#endif
