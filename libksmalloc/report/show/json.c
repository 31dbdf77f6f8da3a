/* SPDX-License-Identifier: BSD-2-Clause */
#include "show/json.h"

#include <stdlib.h>
#include <string.h>

#include "names/human.h"

json_t *ksr_json_string(const char *text)
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

json_t *ksr_json_list(const struct ksr_cell *cell)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < cell->list.count; i++)
		json_array_append_new(array, ksr_json_string(cell->list.items[i]));
	return array;
}

static json_t *indexes(const struct ksr_cell *cell)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < cell->indexes.count; i++)
		json_array_append_new(array, json_integer(cell->indexes.rows[i]));
	return array;
}

json_t *ksr_json_cell(const struct ksr_cell *cell)
{
	switch (cell->kind) {
	case KSR_CELL_NONE:
		break;
	case KSR_CELL_TEXT:
	case KSR_CELL_SENTENCE:
		return ksr_json_string(cell->text);
	case KSR_CELL_BYTES:
	case KSR_CELL_COUNT:
		return json_integer((json_int_t)ksm_min(cell->number, INT64_MAX));
	case KSR_CELL_PERCENT:
		/* Two digits: more would only be noise of the division. */
		return json_real((double)(int64_t)(cell->percent * 100 + 0.5) / 100);
	case KSR_CELL_BOOL:
		return json_boolean(cell->number);
	case KSR_CELL_LIST:
		return ksr_json_list(cell);
	case KSR_CELL_CHANGE:
		return json_integer((json_int_t)cell->change);
	case KSR_CELL_INDEXES:
		return indexes(cell);
	}
	return json_null();
}
