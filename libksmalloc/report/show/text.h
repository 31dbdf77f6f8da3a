/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text: tables, sections and prose as lines of a terminal.
 *
 * What it is: aligns columns, and makes every line fit a width. Where names have
 * no room columns are left out that can be spared; other columns that do not fit
 * go to a second line of each row, indented; of a long name the middle is left
 * out; sentences are wrapped between words.
 * What it is not: for the caller of an emitter. It knows no formats but text.
 * Invariants: with a width of at least KSR_LEAST_WIDTH no line is wider, but for
 * a number that is wider alone. Without a width nothing is shortened or wrapped.
 * Nothing but names is ever shortened.
 * Locking and owner: pure but for the output; the rows stay the caller's.
 * Failure: without memory a name is shown whole.
 */
#ifndef KSR_SHOW_TEXT_H
#define KSR_SHOW_TEXT_H

#include <jansson.h>
#include <stdio.h>

#include "show/cell.h"

/* More columns than any view has; a wider table is a programming error, and fails. */
#define KSR_MOST_COLUMNS 64
/* Narrower terminals are taken for this wide. */
#define KSR_LEAST_WIDTH 24

/* How a column is printed. */
enum ksr_text_kind {
	KSR_TEXT_UNKNOWN, /* no row has a value */
	KSR_TEXT_RIGHT,	  /* numbers */
	KSR_TEXT_LEFT,	  /* names, which can be shortened */
	KSR_TEXT_WRAPPED, /* sentences */
};

/* How the column of such a cell is printed. */
enum ksr_text_kind ksr_text_kind_of(enum ksr_cell_kind kind);
/* The value as a string, or as an array of lines; the caller's. NULL without memory. */
json_t *ksr_text_cell(const struct ksr_cell *cell);

struct ksr_text_table {
	FILE *output;
	const struct ksr_column *columns;
	size_t column_count;
	json_t *rows;			 /* arrays of strings, and of arrays of lines */
	const enum ksr_text_kind *kinds; /* of each column */
	const unsigned char *spare;	 /* of each column: in which turn it is left out for names; 0: never */
	size_t width;			 /* 0: any */
};

void ksr_text_table_print(const struct ksr_text_table *table);
/* Rows of two strings each: what it is called, and the value. */
void ksr_text_section_print(const struct ksr_text_table *section);
/* One paragraph; its first line is indented by first, the others by others. */
void ksr_text_prose(FILE *output, const char *text, size_t first, size_t others, size_t width);

/* Columns of the terminal that the stream is, 0 when it is none or nobody knows. */
size_t ksr_terminal_width(FILE *output);
/* Columns that a terminal needs: code points, which is right for all but wide letters. */
size_t ksr_text_width(const char *text);
/*
 * The text in at most width columns, for names as "function (file.c:1) < caller" and "function > called": both parts keep
 * their beginning and end. The caller frees it; NULL without memory.
 */
char *ksr_text_shorten(const char *text, size_t width);

#endif
