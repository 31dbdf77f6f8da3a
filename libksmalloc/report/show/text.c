/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where each column stands is decided once for a table, from the widest cell of
 * each: columns fill lines one after another. As long as names have no room,
 * columns that can be spared are left out. The last that still has a fair part
 * of the line may be shortened to it; else it gets a line of its own.
 */
#define _GNU_SOURCE
#include "show/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "names/human.h"
#include "show/json.h"

#define GAP 2
#define INDENT 4 /* of lines that belong to the row above */
/* A name in fewer columns says nothing: it goes to the next line instead. */
#define LEAST_NAME 24
/* Of a longer name the middle can be left out rather than columns beside it. */
#define MOST_NAME 72
#define DOTS "..."
/* Between two functions of a name: who called whom. Both are three bytes. */
#define CALLED_BY " < "
#define CALLS " > "

/* --- widths of strings ------------------------------------------------------------ */

size_t ksr_text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* Bytes of the first columns of a text. */
static size_t bytes_of(const char *text, size_t columns)
{
	size_t bytes = 0;

	while (text[bytes] && columns > 0) {
		bytes++;
		while (((unsigned char)text[bytes] & 0xc0) == 0x80)
			bytes++;
		columns--;
	}
	return bytes;
}

/* Beginning and end of the first bytes of the text, which are more columns than that. */
static void put_middle(FILE *stream, const char *text, size_t bytes, size_t columns, size_t width)
{
	size_t dots = strlen(DOTS);
	size_t tail = width > dots ? (width - dots) / 2 : 0;
	size_t head = width > dots ? width - dots - tail : 0;
	size_t skipped = bytes_of(text, columns - tail);

	fprintf(stream, "%.*s%.*s%.*s", (int)bytes_of(text, head), text,
		(int)(width < dots ? width : dots), DOTS, (int)(bytes - skipped), text + skipped);
}

static void put_part(FILE *stream, const char *text, size_t bytes, size_t columns, size_t width)
{
	if (columns <= width)
		fwrite(text, 1, bytes, stream);
	else
		put_middle(stream, text, bytes, columns, width);
}

static const char *last_separator(const char *text)
{
	const char *found = NULL;

	for (const char *next = text; *next; next++) {
		if (strncmp(next, CALLED_BY, strlen(CALLED_BY)) == 0 || strncmp(next, CALLS, strlen(CALLS)) == 0)
			found = next;
	}
	return found;
}

char *ksr_text_shorten(const char *text, size_t width)
{
	const char *separator = last_separator(text);
	size_t joint = strlen(CALLED_BY);
	size_t all = ksr_text_width(text);
	char *result = NULL;
	size_t bytes = 0;
	FILE *stream;

	if (all <= width)
		return strdup(text);
	stream = open_memstream(&result, &bytes);
	if (!stream)
		return NULL;
	if (separator && width >= LEAST_NAME) {
		size_t second = ksr_text_width(separator + joint);
		size_t first = all - joint - second;
		/* The second says less: a third of the room, or what the first leaves. */
		size_t room = width - joint;
		size_t theirs = ksm_min(second, ksm_max(room / 3, room - ksm_min(first, room)));

		put_part(stream, text, (size_t)(separator - text), first, room - theirs);
		fwrite(separator, 1, joint, stream);
		put_part(stream, separator + joint, strlen(separator + joint), second, theirs);
	} else {
		put_middle(stream, text, strlen(text), all, width);
	}
	if (fclose(stream) == 0)
		return result;
	free(result);
	return NULL;
}

size_t ksr_terminal_width(FILE *output)
{
	const char *columns = getenv("COLUMNS");
	int fd = fileno(output);
	struct winsize size;
	char *end;

	if (fd < 0 || !isatty(fd))
		return 0;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	if (columns && columns[0] >= '0' && columns[0] <= '9') {
		unsigned long number = strtoul(columns, &end, 10);

		return *end || number > UINT16_MAX ? 0 : number;
	}
	return 0;
}

/* --- prose ------------------------------------------------------------------------- */

/* Bytes of the text that go on a line of this many columns; what follows begins behind *skip. */
static size_t line_bytes(const char *text, size_t columns, size_t *skip)
{
	size_t bytes = bytes_of(text, columns);
	size_t blank = bytes;

	*skip = 0;
	if (text[bytes] == '\0')
		return bytes;
	while (blank > 0 && text[blank] != ' ')
		blank--;
	/* A word that is longer than a line is cut: nothing of it is lost. */
	if (blank == 0)
		return bytes;
	*skip = strspn(text + blank, " ");
	return blank;
}

/* The first line begins where the output stands, which is column `at`. */
static void put_prose(FILE *output, const char *text, size_t at, size_t others, size_t width)
{
	for (;;) {
		size_t skip = 0;
		size_t room = ksm_max(width, at + 1) - at;
		size_t bytes = width ? line_bytes(text, room, &skip) : strlen(text);

		fprintf(output, "%.*s\n", (int)bytes, text);
		text += bytes + skip;
		if (*text == '\0')
			return;
		fprintf(output, "%*s", (int)others, "");
		at = others;
	}
}

void ksr_text_prose(FILE *output, const char *text, size_t first, size_t others, size_t width)
{
	fprintf(output, "%*s", (int)first, "");
	put_prose(output, text, first, others, width);
}

/* --- where columns stand --------------------------------------------------------------- */

struct place {
	size_t width;
	size_t begin; /* the column of the terminal that it begins in */
	bool shown;
	bool first; /* of its line */
	bool last;
};

static bool is_text(const struct ksr_text_table *table, size_t column)
{
	return table->kinds[column] >= KSR_TEXT_LEFT;
}

/* Lists have lines of their own; the first row decides what a column is. */
static bool is_field(const struct ksr_text_table *table, size_t column)
{
	json_t *cell = json_array_get(json_array_get(table->rows, 0), column);

	return table->columns[column].title && !json_is_array(cell);
}

static size_t natural_width(const struct ksr_text_table *table, size_t column)
{
	size_t width = ksr_text_width(table->columns[column].title);
	json_t *row;
	size_t index;

	json_array_foreach(table->rows, index, row)
	{
		const char *text = json_string_value(json_array_get(row, column));

		if (text)
			width = ksm_max(width, ksr_text_width(text));
	}
	return width;
}

/* Where the column stands, if the one before it ends at *used of the same line. */
static struct place place_of(const struct ksr_text_table *table, size_t column, size_t *used)
{
	struct place place = {.width = natural_width(table, column), .shown = true};
	size_t gap = *used ? GAP : 0;
	size_t room;

	place.first = *used == 0;
	place.begin = *used + gap;
	room = ksm_max(table->width, place.begin) - place.begin;
	if (table->width && place.width > room) {
		bool flexible = is_text(table, column);

		if (*used && (!flexible || room < ksm_min(LEAST_NAME, place.width))) {
			place.first = true;
			place.begin = INDENT;
			room = table->width - INDENT;
		}
		if (flexible)
			place.width = ksm_min(place.width, room);
	}
	*used = place.begin + place.width;
	return place;
}

/* Without the columns that are spared in this turn and those before. */
static void place_without(const struct ksr_text_table *table, unsigned int turn, struct place places[KSR_MOST_COLUMNS])
{
	struct place *last = NULL;
	size_t used = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		places[i] = (struct place){0};
		if (!is_field(table, i) || (table->spare[i] && table->spare[i] <= turn))
			continue;
		places[i] = place_of(table, i, &used);
		if (last)
			last->last = places[i].first;
		last = &places[i];
	}
	if (last)
		last->last = true;
}

/* False if a name is cut, or has a line of its own, that would have room without others. */
static bool is_roomy(const struct ksr_text_table *table, const struct place places[KSR_MOST_COLUMNS])
{
	bool is_first = true;

	for (size_t i = 0; i < table->column_count; i++) {
		/* Sentences are wrapped, and nothing of them is lost. */
		if (!places[i].shown || table->kinds[i] == KSR_TEXT_WRAPPED)
			continue;
		if ((places[i].first && !is_first) || places[i].width < ksm_min(natural_width(table, i), (size_t)MOST_NAME))
			return false;
		is_first = false;
	}
	return true;
}

/* All columns stand in one line, but for sentences. */
static bool is_one_line(const struct ksr_text_table *table, const struct place places[KSR_MOST_COLUMNS])
{
	size_t lines = 0;

	for (size_t i = 0; i < table->column_count; i++)
		lines += places[i].shown && places[i].first && table->kinds[i] != KSR_TEXT_WRAPPED;
	return lines <= 1;
}

static void place_columns(const struct ksr_text_table *table, struct place places[KSR_MOST_COLUMNS])
{
	unsigned int turns = 0;

	for (size_t i = 0; i < table->column_count; i++)
		turns = ksm_max(turns, (unsigned int)table->spare[i]);
	for (unsigned int turn = 0; turn <= turns; turn++) {
		place_without(table, turn, places);
		if (!table->width || is_roomy(table, places))
			return;
	}
	/* Where names have lines of their own all the same, nothing has to go. */
	if (!is_one_line(table, places))
		place_without(table, 0, places);
}

/* --- printing ------------------------------------------------------------------------------ */

static void print_field(const struct ksr_text_table *table, const struct place *place, bool left,
			const char *text)
{
	char *shorter = NULL;
	int blanks;

	if (ksr_text_width(text) > place->width)
		shorter = ksr_text_shorten(text, place->width);
	text = shorter ? shorter : text;
	blanks = (int)(place->width - ksm_min(place->width, ksr_text_width(text)));
	if (left)
		fprintf(table->output, "%s%*s", text, place->last ? 0 : blanks, "");
	else
		fprintf(table->output, "%*s%s", blanks, "", text);
	if (place->last)
		fputc('\n', table->output);
	free(shorter);
}

/* True if the next row says the same in a sentence of its own line: then it is said there, for both. */
static bool is_said_below(const struct place *place, size_t column, json_t *row, json_t *next)
{
	const char *mine = json_string_value(json_array_get(row, column));
	const char *theirs = json_string_value(json_array_get(next, column));

	return place->first && column > 0 && mine && theirs && strcmp(mine, theirs) == 0;
}

/* Without a row the titles. */
static void print_row(const struct ksr_text_table *table, const struct place *places, json_t *row, json_t *next)
{
	for (size_t i = 0; i < table->column_count; i++) {
		const struct place *place = &places[i];
		const char *text =
			row ? json_string_value(json_array_get(row, i)) : table->columns[i].title;

		if (!place->shown)
			continue;
		text = text ? text : "";
		if (table->kinds[i] == KSR_TEXT_WRAPPED && is_said_below(place, i, row, next))
			continue;
		fprintf(table->output, "%*s", place->first ? (int)place->begin : GAP, "");
		if (table->kinds[i] == KSR_TEXT_WRAPPED && table->width)
			put_prose(table->output, text, place->begin, place->begin, table->width);
		else
			print_field(table, place, is_text(table, i), text);
	}
}

static void print_lists(const struct ksr_text_table *table, json_t *row)
{
	for (size_t i = 0; i < table->column_count; i++) {
		json_t *line;
		size_t index;

		if (!table->columns[i].title)
			continue;
		json_array_foreach(json_array_get(row, i), index, line) ksr_text_prose(
			table->output, json_string_value(line), INDENT, INDENT + 2, table->width);
	}
}

void ksr_text_table_print(const struct ksr_text_table *table)
{
	struct place places[KSR_MOST_COLUMNS];
	json_t *row;
	size_t index;

	place_columns(table, places);
	print_row(table, places, NULL, NULL);
	json_array_foreach(table->rows, index, row)
	{
		print_row(table, places, row, json_array_get(table->rows, index + 1));
		print_lists(table, row);
	}
}

void ksr_text_section_print(const struct ksr_text_table *section)
{
	size_t widths[2] = {0, 0};
	size_t width;
	json_t *row;
	size_t index;

	json_array_foreach(section->rows, index, row)
	{
		for (size_t i = 0; i < 2; i++)
			widths[i] =
				ksm_max(widths[i],
					ksr_text_width(json_string_value(json_array_get(row, i))));
	}
	width = widths[0] + GAP + widths[1];
	if (section->width && width > section->width)
		width = section->width;
	json_array_foreach(section->rows, index, row)
	{
		const char *label = json_string_value(json_array_get(row, 0));
		const char *value = json_string_value(json_array_get(row, 1));
		size_t used = ksr_text_width(label);
		size_t needed = ksr_text_width(value);

		if (used + GAP + needed <= width) {
			fprintf(section->output, "%s%*s%s\n", label, (int)(width - used - needed),
				"", value);
			continue;
		}
		/* The value stands below what it is called. */
		ksr_text_prose(section->output, label, 0, INDENT, width);
		ksr_text_prose(section->output, value, ksm_max(width, needed + INDENT) - needed,
			       INDENT, width);
	}
}

/* --- fields ------------------------------------------------------------------ */

enum ksr_text_kind ksr_text_kind_of(enum ksr_cell_kind kind)
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

static json_t *change(int64_t bytes)
{
	char buffer[KSR_HUMAN_BYTES];

	ksr_human_bytes(bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes, buffer);
	return json_sprintf("%s%s", bytes < 0 ? "-" : bytes ? "+" : "", buffer);
}

json_t *ksr_text_cell(const struct ksr_cell *cell)
{
	char buffer[KSR_HUMAN_BYTES];

	switch (cell->kind) {
	case KSR_CELL_NONE:
		return json_string("-");
	case KSR_CELL_TEXT:
	case KSR_CELL_SENTENCE:
		return ksr_json_string(cell->text);
	case KSR_CELL_BYTES:
		ksr_human_bytes(cell->number, buffer);
		return json_string(buffer);
	case KSR_CELL_COUNT:
		return json_sprintf("%" PRIu64, cell->number);
	case KSR_CELL_PERCENT:
		return json_sprintf("%.1f %%", cell->percent);
	case KSR_CELL_BOOL:
		return json_string(cell->number ? "yes" : "no");
	case KSR_CELL_LIST:
		return ksr_json_list(cell);
	case KSR_CELL_CHANGE:
		return change(cell->change);
	case KSR_CELL_INDEXES:
		break; /* of tables that text does not show */
	}
	return NULL;
}
