/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "show/csv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "show/json.h"

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
		string = ksr_json_string(text);
	free(text);
	return string;
}

static json_t *joined_indexes(const struct ksr_cell *cell)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);
	json_t *string = NULL;

	if (!stream)
		return NULL;
	for (size_t i = 0; i < cell->indexes.count; i++)
		fprintf(stream, "%s%" PRIu32, i ? " " : "", cell->indexes.rows[i]);
	if (fclose(stream) == 0)
		string = json_string(text);
	free(text);
	return string;
}

json_t *ksr_csv_cell(const struct ksr_cell *cell)
{
	switch (cell->kind) {
	case KSR_CELL_NONE:
		return json_string("");
	case KSR_CELL_TEXT:
	case KSR_CELL_SENTENCE:
		return ksr_json_string(cell->text);
	case KSR_CELL_BYTES:
	case KSR_CELL_COUNT:
		return json_sprintf("%" PRIu64, cell->number);
	case KSR_CELL_PERCENT:
		return json_sprintf("%.2f", cell->percent);
	case KSR_CELL_BOOL:
		return json_string(cell->number ? "yes" : "no");
	case KSR_CELL_LIST:
		return joined_list(cell);
	case KSR_CELL_CHANGE:
		return json_sprintf("%" PRId64, cell->change);
	case KSR_CELL_INDEXES:
		return joined_indexes(cell);
	}
	return NULL;
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

void ksr_csv_print(FILE *output, const struct ksr_column *columns, size_t count, json_t *rows)
{
	json_t *row;
	size_t index;

	for (size_t i = 0; i < count; i++)
		csv_field(output, columns[i].key, i == 0);
	fputc('\n', output);
	json_array_foreach(rows, index, row)
	{
		for (size_t i = 0; i < count; i++)
			csv_field(output, json_string_value(json_array_get(row, i)), i == 0);
		fputc('\n', output);
	}
}
