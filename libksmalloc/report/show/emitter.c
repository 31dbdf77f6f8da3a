/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything is first built as one JSON value, whatever the format: that gives
 * the emitter one owner for all copies, and the text form the widths that it
 * must know before its first line.
 */
#define _GNU_SOURCE
#include "show/emitter.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "names/human.h"
#include "show/csv.h"
#include "show/json.h"
#include "show/text.h"

/* Of the second and later lines of a note. */
#define INDENT_OF_NOTES 4

struct ksr_emitter {
	enum ksr_format format;
	const char *table; /* CSV: the one that is written */
	size_t width;	   /* text: 0 is any */
	FILE *output;
	json_t *root; /* what JSON prints */
	json_t *notes;
	/* The table or section that is open. */
	json_t *open;
	bool wanted; /* CSV: it is the one that is written */
	const struct ksr_column *columns;
	size_t column_count;
	enum ksr_text_kind kinds[KSR_MOST_COLUMNS];
	/* Text and CSV only: rows of ready strings, and of lists of lines. */
	json_t *rows;
	int error;
	bool printed; /* something was printed: an empty line goes before the next part */
};

/* --- printing --------------------------------------------------------------- */

static void separate(struct ksr_emitter *emitter)
{
	if (emitter->printed)
		fputc('\n', emitter->output);
	emitter->printed = true;
}

static void print_csv(struct ksr_emitter *emitter)
{
	if (emitter->wanted)
		ksr_csv_print(emitter->output, emitter->columns, emitter->column_count, emitter->rows);
}

static void print_text(struct ksr_emitter *emitter,
		       void (*print)(const struct ksr_text_table *table))
{
	const struct ksr_text_table table = {
		.output = emitter->output,
		.columns = emitter->columns,
		.column_count = emitter->column_count,
		.rows = emitter->rows,
		.kinds = emitter->kinds,
		.width = emitter->width,
	};

	if (json_array_size(emitter->rows) == 0)
		return;
	separate(emitter);
	print(&table);
}

/* The value as a string of text or CSV; a list stays one in text. */
static json_t *string_of(const struct ksr_emitter *emitter, const struct ksr_cell *cell)
{
	return emitter->format == KSR_FORMAT_TEXT ? ksr_text_cell(cell) : ksr_csv_cell(cell);
}

/* --- the interface ----------------------------------------------------------- */

static void note_error(struct ksr_emitter *emitter, bool failed)
{
	if (failed && !emitter->error)
		emitter->error = -ENOMEM;
}

/* What each JSON text begins with. */
static void set_head(struct ksr_emitter *emitter)
{
	time_t now = time(NULL);
	struct tm parts;
	char text[32];

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
	note_error(emitter,
		   json_object_set_new(emitter->root, "version", json_integer(KSR_JSON_VERSION)));
	note_error(emitter,
		   json_object_set_new(emitter->root, "ksmalloc", json_string(KSMALLOC_VERSION)));
	note_error(emitter, json_object_set_new(emitter->root, "time", json_string(text)));
}

struct ksr_emitter *ksr_emitter_create(const struct ksr_output *chosen, FILE *output)
{
	struct ksr_emitter *emitter = calloc(1, sizeof(*emitter));

	if (!emitter)
		return NULL;
	emitter->format = chosen->format;
	emitter->table = chosen->table;
	emitter->width = chosen->width ? (size_t)chosen->width : ksr_terminal_width(output);
	if (emitter->width && emitter->width < KSR_LEAST_WIDTH)
		emitter->width = KSR_LEAST_WIDTH;
	emitter->output = output;
	emitter->root = json_object();
	emitter->notes = json_array();
	if (!emitter->root || !emitter->notes) {
		json_decref(emitter->root);
		json_decref(emitter->notes);
		free(emitter);
		return NULL;
	}
	if (emitter->format == KSR_FORMAT_JSON)
		set_head(emitter);
	return emitter;
}

/* What tables and sections have in common. */
static void open_part(struct ksr_emitter *emitter, const char *key, json_t *open)
{
	emitter->rows = json_array();
	emitter->open = open;
	memset(emitter->kinds, 0, sizeof(emitter->kinds));
	emitter->wanted = emitter->table && strcmp(emitter->table, key) == 0;
	note_error(emitter, !emitter->rows || !open);
	if (emitter->format == KSR_FORMAT_JSON)
		note_error(emitter, json_object_set(emitter->root, key, open));
}

static void close_part(struct ksr_emitter *emitter)
{
	json_decref(emitter->rows);
	json_decref(emitter->open);
	emitter->rows = NULL;
	emitter->open = NULL;
}

void ksr_emitter_table_begin(struct ksr_emitter *emitter, const char *key,
			     const struct ksr_column *columns, size_t count)
{
	emitter->columns = columns;
	emitter->column_count = ksm_min(count, KSR_MOST_COLUMNS);
	note_error(emitter, count > KSR_MOST_COLUMNS);
	open_part(emitter, key, emitter->format == KSR_FORMAT_JSON ? json_array() : json_object());
}

static void json_row(struct ksr_emitter *emitter, const struct ksr_cell *cells)
{
	json_t *row = json_object();

	for (size_t i = 0; i < emitter->column_count; i++)
		note_error(emitter, json_object_set_new(row, emitter->columns[i].key,
							ksr_json_cell(&cells[i])));
	note_error(emitter, json_array_append_new(emitter->open, row));
}

/* The first value decides what kind a column is: numbers stand right, text left. */
static void text_row(struct ksr_emitter *emitter, const struct ksr_cell *cells)
{
	json_t *row = json_array();

	for (size_t i = 0; i < emitter->column_count; i++) {
		enum ksr_text_kind *kind = &emitter->kinds[i];

		if (*kind == KSR_TEXT_UNKNOWN)
			*kind = ksr_text_kind_of(cells[i].kind);
		note_error(emitter, json_array_append_new(row, string_of(emitter, &cells[i])));
	}
	note_error(emitter, json_array_append_new(emitter->rows, row));
}

void ksr_emitter_row(struct ksr_emitter *emitter, const struct ksr_cell *cells)
{
	if (emitter->format == KSR_FORMAT_JSON)
		json_row(emitter, cells);
	else
		text_row(emitter, cells);
}

void ksr_emitter_table_end(struct ksr_emitter *emitter)
{
	if (emitter->error)
		; /* Half a table would be taken for a whole one. */
	else if (emitter->format == KSR_FORMAT_TEXT)
		print_text(emitter, ksr_text_table_print);
	else if (emitter->format == KSR_FORMAT_CSV)
		print_csv(emitter);
	close_part(emitter);
}

void ksr_emitter_section_begin(struct ksr_emitter *emitter, const char *key)
{
	static const struct ksr_column columns[] = {{"key", ""}, {"value", ""}};

	emitter->columns = columns;
	emitter->column_count = KSM_COUNT_OF(columns);
	open_part(emitter, key, json_object());
}

void ksr_emitter_value(struct ksr_emitter *emitter, const char *key, const char *title,
		       struct ksr_cell cell)
{
	const char *label = emitter->format == KSR_FORMAT_TEXT ? title : key;
	json_t *row;

	if (emitter->format == KSR_FORMAT_JSON) {
		note_error(emitter, json_object_set_new(emitter->open, key, ksr_json_cell(&cell)));
		return;
	}
	if (!label)
		return;
	row = json_array();
	note_error(emitter, json_array_append_new(row, ksr_json_string(label)));
	note_error(emitter, json_array_append_new(row, string_of(emitter, &cell)));
	note_error(emitter, json_array_append_new(emitter->rows, row));
}

void ksr_emitter_section_end(struct ksr_emitter *emitter)
{
	if (!emitter->error && emitter->format == KSR_FORMAT_CSV)
		print_csv(emitter);
	if (!emitter->error && emitter->format == KSR_FORMAT_TEXT)
		print_text(emitter, ksr_text_section_print);
	close_part(emitter);
}

void ksr_emitter_note(struct ksr_emitter *emitter, const char *format, ...)
{
	char *line = NULL;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&line, format, args);
	va_end(args);
	if (length < 0) {
		note_error(emitter, true);
		return;
	}
	ksr_clean_text(line);
	if (emitter->format == KSR_FORMAT_TEXT) {
		ksr_text_prose(emitter->output, line, 0, INDENT_OF_NOTES, emitter->width);
		emitter->printed = true;
	} else if (emitter->format == KSR_FORMAT_CSV) {
		fprintf(stderr, "%s\n", line);
	} else {
		note_error(emitter, json_array_append_new(emitter->notes, json_string(line)));
	}
	free(line);
}

int ksr_emitter_finish(struct ksr_emitter *emitter)
{
	int error = emitter->error;

	if (!error && emitter->format == KSR_FORMAT_JSON) {
		if (json_array_size(emitter->notes) &&
		    json_object_set(emitter->root, "notes", emitter->notes))
			error = -ENOMEM;
		if (!error && json_dumpf(emitter->root, emitter->output, JSON_INDENT(2)))
			error = -EIO;
		fputc('\n', emitter->output);
	}
	/* What an earlier write failed with nobody remembers. */
	if ((!error || error == -EIO) && fflush(emitter->output))
		error = -errno;
	else if (!error && ferror(emitter->output))
		error = -EIO;
	json_decref(emitter->root);
	json_decref(emitter->notes);
	free(emitter);
	return error;
}
