/* SPDX-License-Identifier: BSD-2-Clause */
/* Values as lines of YAML, written by libyaml. */
#define _GNU_SOURCE
#include "inject/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct writing {
	yaml_emitter_t emitter;
	yaml_sequence_style_t lists;
	yaml_mapping_style_t mappings;
	FILE *out;
};

/* Only what no reader takes for a number, a date, a truth or anything else. */
bool ksr_yaml_is_plain(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-=:";
	static const char *const others[] = {"y",  "n",	 "yes",	 "no",	"on",  "off", "true", "false", "null",
					     ".inf", ".nan", "Infinity", "NaN"};
	size_t length = strlen(text);

	if (!length || strspn(text, letters) != length || strchr("-.:=0123456789", text[0]) || text[length - 1] == ':')
		return false;
	for (size_t i = 0; i < KSM_COUNT_OF(others); i++) {
		if (strcasecmp(text, others[i]) == 0)
			return false;
	}
	return true;
}

static bool put(struct writing *writing, bool made, yaml_event_t *event)
{
	return made && yaml_emitter_emit(&writing->emitter, event);
}

static bool put_scalar(struct writing *writing, const char *text, bool plain)
{
	yaml_event_t event;
	yaml_scalar_style_t style = plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE;

	return put(writing, yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1, style),
		   &event);
}

static bool put_value(struct writing *writing, const json_t *value);

static bool put_list(struct writing *writing, const json_t *value)
{
	yaml_event_t event;
	bool good = put(writing, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, writing->lists), &event);

	for (size_t i = 0; good && i < json_array_size(value); i++)
		good = put_value(writing, json_array_get(value, i));
	return good && put(writing, yaml_sequence_end_event_initialize(&event), &event);
}

static bool put_mapping(struct writing *writing, const json_t *value)
{
	yaml_event_t event;
	bool good = put(writing, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, writing->mappings), &event);
	json_t *object = (json_t *)(uintptr_t)value;

	for (void *at = json_object_iter(object); good && at; at = json_object_iter_next(object, at))
		good = put_scalar(writing, json_object_iter_key(at), ksr_yaml_is_plain(json_object_iter_key(at))) &&
		       put_value(writing, json_object_iter_value(at));
	return good && put(writing, yaml_mapping_end_event_initialize(&event), &event);
}

static bool put_value(struct writing *writing, const json_t *value)
{
	char number[32];

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return put_mapping(writing, value);
	case JSON_ARRAY:
		return put_list(writing, value);
	case JSON_STRING:
		return put_scalar(writing, json_string_value(value), ksr_yaml_is_plain(json_string_value(value)));
	case JSON_INTEGER:
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
		return put_scalar(writing, number, true);
	case JSON_TRUE:
	case JSON_FALSE:
		return put_scalar(writing, json_is_true(value) ? "true" : "false", true);
	default:
		return put_scalar(writing, "null", true);
	}
}

static int collect(void *user, unsigned char *buffer, size_t size)
{
	struct writing *writing = user;

	return fwrite(buffer, 1, size, writing->out) == size;
}

/* One document without marks; its last line end is left out. */
static char *write_value(const json_t *value, bool flow)
{
	struct writing writing = {.lists = flow ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE,
				  .mappings = flow ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE};
	yaml_event_t event;
	char *text = NULL;
	size_t size = 0;
	bool good;

	writing.out = open_memstream(&text, &size);
	if (!writing.out || !yaml_emitter_initialize(&writing.emitter)) {
		if (writing.out)
			fclose(writing.out);
		free(text);
		return NULL;
	}
	yaml_emitter_set_output(&writing.emitter, collect, &writing);
	yaml_emitter_set_width(&writing.emitter, -1);
	yaml_emitter_set_unicode(&writing.emitter, 1);
	good = put(&writing, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING), &event) &&
	       put(&writing, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1), &event) && put_value(&writing, value) &&
	       put(&writing, yaml_document_end_event_initialize(&event, 1), &event) &&
	       put(&writing, yaml_stream_end_event_initialize(&event), &event);
	yaml_emitter_delete(&writing.emitter);
	if (fclose(writing.out) || !good) {
		free(text);
		return NULL;
	}
	/* A document of one plain scalar is ended by a mark. */
	if (size >= 5 && strcmp(text + size - 5, "\n...\n") == 0)
		size -= 4;
	while (size > 0 && text[size - 1] == '\n')
		size--;
	text[size] = '\0';
	return text;
}

char *ksr_yaml_flow(const json_t *value)
{
	return write_value(value, true);
}

char *ksr_yaml_block(const json_t *value, size_t blanks, const char *line_end)
{
	char *lines = write_value(value, false);
	char *text = NULL;
	size_t size = 0;
	FILE *out = lines ? open_memstream(&text, &size) : NULL;

	if (out) {
		for (const char *at = lines; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
			fprintf(out, "%s%*s%.*s", line_end, (int)blanks, "", (int)strcspn(at, "\n"), at);
		if (fclose(out)) {
			free(text);
			text = NULL;
		}
	}
	free(lines);
	return text;
}
