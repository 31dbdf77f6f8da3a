/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything is first built as one JSON value, whatever the format: that gives
 * the emitter one owner for all copies, and the text form the widths that it
 * must know before its first line.
 */
#define _GNU_SOURCE
#include "show/emitter.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "names/human.h"
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

/* --- strings -------------------------------------------------------------- */

static json_t *clean_string(const char *text)
{
	char *copy = strdup(text);
	json_t *string = NULL;

	if (copy) {
		ksr_clean_text(copy);
		string = json_string(copy);
		free(copy);
	}
	return string;
}

/* --- cells ----------------------------------------------------------------- */

static json_t *list_to_json(const struct ksr_cell *cell)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < cell->list.count; i++)
		json_array_append_new(array, clean_string(cell->list.items[i]));
	return array;
}

/* The value as JSON has it. */
static json_t *cell_to_json(const struct ksr_cell *cell)
{
	switch (cell->kind) {
	case KSR_CELL_NONE:
		break;
	case KSR_CELL_TEXT:
	case KSR_CELL_SENTENCE:
		return clean_string(cell->text);
	case KSR_CELL_BYTES:
	case KSR_CELL_COUNT:
		return json_integer((json_int_t)ksm_min(cell->number, INT64_MAX));
	case KSR_CELL_PERCENT:
		/* Two digits: more would only be noise of the division. */
		return json_real((double)(int64_t)(cell->percent * 100 + 0.5) / 100);
	case KSR_CELL_BOOL:
		return json_boolean(cell->number);
	case KSR_CELL_LIST:
		return list_to_json(cell);
	}
	return json_null();
}

static json_t *joined_list(const struct ksr_cell *cell)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);
	json_t *string = NULL;

	if (!stream)
		return NULL;
	for (size_t i = 0; i < cell->list.count; i++)
		fprintf(stream, "%s%s", i ? " < " : "", cell->list.items[i]);
	if (fclose(stream) == 0)
		string = clean_string(text);
	free(text);
	return string;
}

/* The value as a string of text or CSV; a list stays one in text. */
static json_t *cell_to_string(const struct ksr_emitter *emitter, const struct ksr_cell *cell)
{
	bool text = emitter->format == KSR_FORMAT_TEXT;
	char buffer[64];

	switch (cell->kind) {
	case KSR_CELL_NONE:
		return json_string(text ? "-" : "");
	case KSR_CELL_TEXT:
	case KSR_CELL_SENTENCE:
		return clean_string(cell->text);
	case KSR_CELL_BYTES:
		if (text) {
			ksr_human_bytes(cell->number, buffer);
			return json_string(buffer);
		}
		return json_sprintf("%" PRIu64, cell->number);
	case KSR_CELL_COUNT:
		return json_sprintf("%" PRIu64, cell->number);
	case KSR_CELL_PERCENT:
		return json_sprintf(text ? "%.1f %%" : "%.2f", cell->percent);
	case KSR_CELL_BOOL:
		return json_string(cell->number ? "yes" : "no");
	case KSR_CELL_LIST:
		return text ? list_to_json(cell) : joined_list(cell);
	}
	return NULL;
}

/* --- printing --------------------------------------------------------------- */

static void separate(struct ksr_emitter *emitter)
{
	if (emitter->printed)
		fputc('\n', emitter->output);
	emitter->printed = true;
}

static void csv_field(FILE *output, const char *text, bool first)
{
	bool quote = strpbrk(text, ",\"\n\r") != NULL;

	if (!first)
		fputc(',', output);
	if (quote)
		fputc('"', output);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', output);
		fputc(*text, output);
	}
	if (quote)
		fputc('"', output);
}

static void print_csv_table(struct ksr_emitter *emitter)
{
	json_t *row;
	size_t index;

	if (!emitter->wanted)
		return;
	for (size_t i = 0; i < emitter->column_count; i++)
		csv_field(emitter->output, emitter->columns[i].key, i == 0);
	fputc('\n', emitter->output);
	json_array_foreach(emitter->rows, index, row)
	{
		for (size_t i = 0; i < emitter->column_count; i++)
			csv_field(emitter->output, json_string_value(json_array_get(row, i)),
				  i == 0);
		fputc('\n', emitter->output);
	}
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
							cell_to_json(&cells[i])));
	note_error(emitter, json_array_append_new(emitter->open, row));
}

static enum ksr_text_kind text_kind(enum ksr_cell_kind kind)
{
	switch (kind) {
	case KSR_CELL_TEXT:
	case KSR_CELL_BOOL:
		return KSR_TEXT_LEFT;
	case KSR_CELL_SENTENCE:
		return KSR_TEXT_WRAPPED;
	case KSR_CELL_NONE:
		return KSR_TEXT_UNKNOWN;
	default:
		return KSR_TEXT_RIGHT;
	}
}

/* The first value decides what kind a column is: numbers stand right, text left. */
static void text_row(struct ksr_emitter *emitter, const struct ksr_cell *cells)
{
	json_t *row = json_array();

	for (size_t i = 0; i < emitter->column_count; i++) {
		enum ksr_text_kind *kind = &emitter->kinds[i];

		if (*kind == KSR_TEXT_UNKNOWN)
			*kind = text_kind(cells[i].kind);
		note_error(emitter, json_array_append_new(row, cell_to_string(emitter, &cells[i])));
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
		print_csv_table(emitter);
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
		note_error(emitter, json_object_set_new(emitter->open, key, cell_to_json(&cell)));
		return;
	}
	if (!label)
		return;
	row = json_array();
	note_error(emitter, json_array_append_new(row, clean_string(label)));
	note_error(emitter, json_array_append_new(row, cell_to_string(emitter, &cell)));
	note_error(emitter, json_array_append_new(emitter->rows, row));
}

void ksr_emitter_section_end(struct ksr_emitter *emitter)
{
	if (!emitter->error && emitter->format == KSR_FORMAT_CSV)
		print_csv_table(emitter);
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
