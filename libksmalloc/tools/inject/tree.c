/* SPDX-License-Identifier: BSD-2-Clause */
#include "inject/tree.h"

const char *ksr_tree_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Of several the first that has it counts. */
json_t *ksr_tree_merged(const json_t *object, const char *key)
{
	json_t *found = json_object_get(object, key);
	const json_t *merge = json_object_get(object, "<<");

	if (!found && json_is_object(merge))
		found = ksr_tree_merged(merge, key);
	for (size_t i = 0; !found && i < json_array_size(merge); i++)
		found = ksr_tree_merged(json_array_get(merge, i), key);
	return found;
}

void ksr_tree_drop_empty(json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if ((json_is_array(value) && json_array_size(value) == 0) || (json_is_object(value) && json_object_size(value) == 0))
		json_object_del(object, key);
}
