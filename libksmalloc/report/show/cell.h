/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cell: what a field of a table is, and how the whole output shall look.
 *
 * What it is: data, for those that say what there is and those that decide how it looks.
 * What it is not: formatting.
 * Locking and owner: a cell points to what is its caller's.
 * Failure: none.
 */
#ifndef KSR_SHOW_CELL_H
#define KSR_SHOW_CELL_H

#include "base.h"

/*
 * The forms of tables beside text, and those of pictures (show/picture.h): X(name, option, help). Options, --help and the
 * check of the manual come from here; who writes a picture is listed in show/form.c.
 */
#define KSR_TABLE_FORMS(X)                                                                         \
	X(JSON, "json", "Write JSON; sizes are bytes.")                                            \
	X(CSV, "csv", "Write one table as CSV; sizes are bytes.")
#define KSR_PICTURE_FORMS(X)                                                                       \
	X(HTML, "html", "Write a page: flame graph, table and groups in one file.")                \
	X(FOLDED, "folded", "Write folded stacks, as flame graph tools read them.")                \
	X(SPEEDSCOPE, "speedscope", "Write a profile for speedscope.")                             \
	X(PPROF, "pprof", "Write a profile for pprof (binary).")                                   \
	X(OPENMETRICS, "openmetrics", "Write OpenMetrics, as Prometheus reads it.")
#define KSR_FORMS(X) KSR_TABLE_FORMS(X) KSR_PICTURE_FORMS(X)

enum ksr_format {
	KSR_FORMAT_TEXT,
#define KSR_FORMAT_ID(name, option, help) KSR_FORMAT_##name,
	KSR_FORMS(KSR_FORMAT_ID)
#undef KSR_FORMAT_ID
		KSR_FORMAT_COUNT,
};

/* How the output shall look; all zero is text that fits the terminal. */
struct ksr_output {
	enum ksr_format format;
	const char *table; /* CSV: the key of the table or section that is written */
	uint64_t width; /* text: that no line shall exceed; 0: that of the terminal, if it is one */
	bool compact; /* JSON: without spaces and lines, for what only programs read */
};

enum ksr_cell_kind {
	KSR_CELL_NONE,	   /* not known: "-", null, empty */
	KSR_CELL_TEXT,	   /* a name: of one that is too long for a line the middle is left out */
	KSR_CELL_SENTENCE, /* in the last column that text shows: wrapped instead */
	KSR_CELL_BYTES,
	KSR_CELL_COUNT,
	KSR_CELL_PERCENT,
	KSR_CELL_BOOL,
	KSR_CELL_LIST,
	KSR_CELL_CHANGE,  /* bytes more or less */
	KSR_CELL_INDEXES, /* rows of another table */
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
		int64_t change;
		struct {
			const uint32_t *rows;
			size_t count;
		} indexes;
	};
};

struct ksr_column {
	const char *key;   /* in JSON and CSV */
	const char *title; /* in text; NULL: shown in JSON and CSV only */
};

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

KSM_INLINE struct ksr_cell ksr_cell_change(int64_t bytes)
{
	return (struct ksr_cell){.kind = KSR_CELL_CHANGE, .change = bytes};
}

KSM_INLINE struct ksr_cell ksr_cell_indexes(const uint32_t *rows, size_t count)
{
	return (struct ksr_cell){.kind = KSR_CELL_INDEXES, .indexes = {rows, count}};
}

KSM_INLINE struct ksr_cell ksr_cell_list(const char *const *items, size_t count)
{
	return (struct ksr_cell){.kind = KSR_CELL_LIST, .list = {items, count}};
}

#endif
