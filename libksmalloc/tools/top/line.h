/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * line: one line of a frame, as text with styles.
 *
 * What it is: cells side by side, each cut or filled up to its width in columns of a terminal.
 * What it is not: drawn. It knows no curses.
 * Invariants: text of others never reaches a line as it is: what is no printable character of the terminal's character
 * set becomes '?', and what has no width goes. A line is never wider than its width.
 * Locking and owner: a line is the caller's, and owns nothing.
 * Failure: what has no room is left out.
 */
#ifndef KSR_TOP_LINE_H
#define KSR_TOP_LINE_H

#include "top/history.h"

#define KSR_TOP_LINE_BYTES 2048
#define KSR_TOP_LINE_PIECES 48
#define KSR_TOP_LEAST_WIDTH 40
#define KSR_TOP_MOST_WIDTH 500

enum ksr_top_style {
	KSR_TOP_PLAIN_TEXT,
	KSR_TOP_DIM,
	KSR_TOP_BOLD,
	KSR_TOP_HEAD,	/* of a table */
	KSR_TOP_SORTED, /* the head that sorts */
	KSR_TOP_GOOD,	/* what is saved */
	KSR_TOP_WARNING,
	KSR_TOP_STYLE_COUNT,
};

struct ksr_top_piece {
	enum ksr_top_style style;
	uint32_t bytes;
};

struct ksr_top_line {
	bool utf8;   /* what the terminal takes; else ASCII */
	bool chosen; /* all of it */
	uint32_t width;
	uint32_t columns; /* so far */
	uint32_t bytes;
	uint32_t piece_count;
	struct ksr_top_piece pieces[KSR_TOP_LINE_PIECES];
	char text[KSR_TOP_LINE_BYTES]; /* ends with a NUL */
};

enum ksr_top_align {
	KSR_TOP_LEFT,
	KSR_TOP_RIGHT,
	KSR_TOP_NATURAL, /* as wide as it is, but no wider than the cell */
};

void ksr_top_line_begin(struct ksr_top_line *line, uint32_t width, bool utf8);
/* Blanks up to this column, if the line has not come so far. */
void ksr_top_line_to(struct ksr_top_line *line, uint32_t column, enum ksr_top_style style);
void ksr_top_line_cell(struct ksr_top_line *line, enum ksr_top_style style, enum ksr_top_align align, uint32_t width,
		       const char *text);
void ksr_top_line_print(struct ksr_top_line *line, enum ksr_top_style style, const char *format, ...) KSM_PRINTF(3, 4);
/* The newest values of a history, as high as they are compared with the highest of them; NULL: blanks. */
void ksr_top_line_history(struct ksr_top_line *line, enum ksr_top_style style, uint32_t width,
			  const struct ksr_top_history *history);
/* Columns that the text would take. */
uint32_t ksr_top_text_columns(const char *text, bool utf8);

/* "1.23G", "47.7M", "477M", "12K", "0": at most 5 characters below an exbibyte. */
#define KSR_TOP_BYTES_TEXT 16
void ksr_top_bytes(uint64_t bytes, char text[KSR_TOP_BYTES_TEXT]);

#endif
