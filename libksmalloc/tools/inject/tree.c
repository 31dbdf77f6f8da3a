/* SPDX-License-Identifier: BSD-2-Clause */
#include "inject/tree.h"

const char *ksr_tree_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

void ksr_tree_drop_empty(json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if ((json_is_array(value) && json_array_size(value) == 0) || (json_is_object(value) && json_object_size(value) == 0))
		json_object_del(object, key);
}
