/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows are built as JSON values, whatever the format: that gives the emitter one
 * owner for all copies. Text and CSV keep them until the end of the table, text
 * for the widths that it must know before its first line; JSON is written row by
 * row, so that it takes no memory for all of them.
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
	size_t flags;	   /* JSON: of jansson */
	FILE *output;
	json_t *notes;
	/* JSON: the section that is open. */
	json_t *open;
	bool has_keys; /* JSON: something of the document was written */
	bool has_rows; /* the same of the table */
	bool wanted; /* CSV: it is the one that is written */
	const struct ksr_column *columns;
	size_t column_count;
	enum ksr_text_kind kinds[KSR_MOST_COLUMNS];
	unsigned char spare[KSR_MOST_COLUMNS]; /* as in a text table */
	/* Text and CSV only: rows of ready strings, and of lists of lines. */
	json_t *rows;
	int error;
	bool hides_text;
	bool is_prose; /* what was printed last */
	bool printed; /* something was printed: an empty line goes before the next part */
};

/* --- printing --------------------------------------------------------------- */

static void separate(struct ksr_emitter *emitter)
{
	if (emitter->printed)
		fputc('\n', emitter->output);
	emitter->printed = true;
	emitter->is_prose = false;
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
		.spare = emitter->spare,
		.width = emitter->width,
	};

	if (json_array_size(emitter->rows) == 0 || emitter->hides_text)
		return;
	separate(emitter);
	print(&table);
}

/* The value as a string of text or CSV; a list stays one in text. */
static json_t *string_of(const struct ksr_emitter *emitter, const struct ksr_cell *cell)
{
	return emitter->format == KSR_FORMAT_TEXT ? ksr_text_cell(cell) : ksr_csv_cell(cell);
}

/* --- JSON ---------------------------------------------------------------------- */

static bool is_json(const struct ksr_emitter *emitter)
{
	return emitter->format == KSR_FORMAT_JSON;
}

static void note_error(struct ksr_emitter *emitter, bool failed)
{
	if (failed && !emitter->error)
		emitter->error = -ENOMEM;
}

/* A line of its own, where there are lines. */
static void begin_line(const struct ksr_emitter *emitter, int depth)
{
	if (emitter->flags != JSON_COMPACT)
		fprintf(emitter->output, "\n%*s", 2 * depth, "");
}

/* After an error nothing is written any more: what is cut is no JSON, and taken for none. */
static void put_json(struct ksr_emitter *emitter, const json_t *value, int depth)
{
	char *text = value && !emitter->error ? json_dumps(value, emitter->flags | JSON_ENCODE_ANY) : NULL;
	const char *line = text;

	note_error(emitter, !text);
	while (line) {
		const char *end = strchr(line, '\n');

		fwrite(line, 1, end ? (size_t)(end - line) : strlen(line), emitter->output);
		line = end ? end + 1 : NULL;
		if (line)
			begin_line(emitter, depth);
	}
	free(text);
}

static void put_key(struct ksr_emitter *emitter, const char *key)
{
	if (emitter->error)
		return;
	fputs(emitter->has_keys ? "," : "{", emitter->output);
	begin_line(emitter, 1);
	fprintf(emitter->output, emitter->flags == JSON_COMPACT ? "\"%s\":" : "\"%s\": ", key);
	emitter->has_keys = true;
}

static void put_member(struct ksr_emitter *emitter, const char *key, json_t *value)
{
	put_key(emitter, key);
	put_json(emitter, value, 1);
	json_decref(value);
}

/* --- the interface ----------------------------------------------------------- */

/* What each JSON text begins with. */
static void set_head(struct ksr_emitter *emitter)
{
	time_t now = time(NULL);
	struct tm parts;
	char text[32];

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
	put_member(emitter, "version", json_integer(KSR_JSON_VERSION));
	put_member(emitter, "ksmalloc", json_string(KSMALLOC_VERSION));
	put_member(emitter, "time", json_string(text));
}

struct ksr_emitter *ksr_emitter_create(const struct ksr_output *chosen, FILE *output)
{
	struct ksr_emitter *emitter = calloc(1, sizeof(*emitter));

	if (!emitter)
		return NULL;
	emitter->format = chosen->format;
	emitter->table = chosen->table;
	emitter->flags = chosen->compact ? JSON_COMPACT : JSON_INDENT(2);
	emitter->width = chosen->width ? (size_t)chosen->width : ksr_terminal_width(output);
	if (emitter->width && emitter->width < KSR_LEAST_WIDTH)
		emitter->width = KSR_LEAST_WIDTH;
	emitter->output = output;
	emitter->notes = json_array();
	if (!emitter->notes) {
		free(emitter);
		return NULL;
	}
	if (is_json(emitter))
		set_head(emitter);
	return emitter;
}

/* What tables and sections have in common. */
static void open_part(struct ksr_emitter *emitter, const char *key)
{
	emitter->rows = json_array();
	memset(emitter->kinds, 0, sizeof(emitter->kinds));
	memset(emitter->spare, 0, sizeof(emitter->spare));
	emitter->wanted = emitter->table && strcmp(emitter->table, key) == 0;
	emitter->has_rows = false;
	note_error(emitter, !emitter->rows);
	if (is_json(emitter))
		put_key(emitter, key);
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
	open_part(emitter, key);
	if (is_json(emitter) && !emitter->error)
		putc('[', emitter->output);
}

void ksr_emitter_spare(struct ksr_emitter *emitter, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < emitter->column_count; i++) {
		for (size_t k = 0; k < count; k++) {
			if (strcmp(emitter->columns[i].key, keys[k]) == 0)
				emitter->spare[i] = (unsigned char)(k + 1);
		}
	}
}

static void json_row(struct ksr_emitter *emitter, const struct ksr_cell *cells)
{
	json_t *row = json_object();

	for (size_t i = 0; i < emitter->column_count; i++)
		note_error(emitter, json_object_set_new(row, emitter->columns[i].key,
							ksr_json_cell(&cells[i])));
	if (!emitter->error) {
		fputs(emitter->has_rows ? "," : "", emitter->output);
		begin_line(emitter, 2);
		put_json(emitter, row, 2);
	}
	emitter->has_rows = true;
	json_decref(row);
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
	if (is_json(emitter) && !emitter->error) {
		if (emitter->has_rows)
			begin_line(emitter, 1);
		putc(']', emitter->output);
	}
	close_part(emitter);
}

void ksr_emitter_section_begin(struct ksr_emitter *emitter, const char *key)
{
	static const struct ksr_column columns[] = {{"key", ""}, {"value", ""}};

	emitter->columns = columns;
	emitter->column_count = KSM_COUNT_OF(columns);
	open_part(emitter, key);
	emitter->open = json_object();
	note_error(emitter, !emitter->open);
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
	if (is_json(emitter))
		put_json(emitter, emitter->open, 1);
	if (!emitter->error && emitter->format == KSR_FORMAT_TEXT)
		print_text(emitter, ksr_text_section_print);
	close_part(emitter);
}

void ksr_emitter_show_text(struct ksr_emitter *emitter, bool shown)
{
	emitter->hides_text = !shown;
}

void ksr_emitter_say(struct ksr_emitter *emitter, const char *format, ...)
{
	char *line = NULL;
	va_list args;
	int length;

	if (emitter->format != KSR_FORMAT_TEXT || emitter->hides_text)
		return;
	va_start(args, format);
	length = vasprintf(&line, format, args);
	va_end(args);
	if (length < 0) {
		note_error(emitter, true);
		return;
	}
	ksr_clean_text(line);
	if (!emitter->is_prose)
		separate(emitter);
	ksr_text_prose(emitter->output, line, 0, INDENT_OF_NOTES, emitter->width);
	emitter->is_prose = true;
	free(line);
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
	if (emitter->format == KSR_FORMAT_TEXT && emitter->hides_text) {
		free(line);
		return;
	}
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

	if (is_json(emitter)) {
		if (json_array_size(emitter->notes))
			put_member(emitter, "notes", json_incref(emitter->notes));
		error = emitter->error;
	}
	if (is_json(emitter) && !error) {
		begin_line(emitter, 0);
		fputs("}\n", emitter->output);
	}
	/* What an earlier write failed with nobody remembers. */
	if ((!error || error == -EIO) && fflush(emitter->output))
		error = -errno;
	else if (!error && ferror(emitter->output))
		error = -EIO;
	json_decref(emitter->notes);
	free(emitter);
	return error;
}
