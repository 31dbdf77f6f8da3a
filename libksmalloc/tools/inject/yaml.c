/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "inject/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define NODES_MOST  200000
#define DEPTH_MOST  64
#define SIZE_MOST   (16 << 20)
#define KNOWN_TAGS  "tag:yaml.org,2002:"
#define TOO_MUCH    "more than a definition of containers has in it"
#define MARK_OF_UTF8 "\xef\xbb\xbf"

struct loading {
	const char *text;
	size_t size;
	size_t *bytes; /* of the n-th character, and of the end */
	yaml_document_t document;
	unsigned int *references; /* to each node of the document */
	size_t nodes;
	char *why;
};

static int refuse(struct loading *loading, size_t line, const char *what)
{
	snprintf(loading->why, KSR_INJECT_WHY, "line %zu: %s", line + 1, what);
	return -EINVAL;
}

/* --- places ------------------------------------------------------------------------------ */

/* libyaml counts characters. */
static int count_bytes(struct loading *loading)
{
	size_t used = 0;

	loading->bytes = malloc((loading->size + 1) * sizeof(*loading->bytes));
	if (!loading->bytes)
		return -ENOMEM;
	for (size_t at = 0; at < loading->size; at++) {
		if (((unsigned char)loading->text[at] & 0xc0) != 0x80)
			loading->bytes[used++] = at;
	}
	while (used <= loading->size)
		loading->bytes[used++] = loading->size;
	return 0;
}

static size_t place(const struct loading *loading, const yaml_mark_t *mark)
{
	return loading->bytes[ksm_min(mark->index, loading->size)];
}

/* What a block of text keeps of the lines behind it belongs to it. */
static bool keeps_lines(const struct loading *loading, size_t begin)
{
	while (begin < loading->size && loading->text[begin] != '\n') {
		if (loading->text[begin++] == '+')
			return true;
	}
	return false;
}

static size_t scalar_end(const struct loading *loading, const yaml_node_t *from, size_t begin)
{
	size_t end = place(loading, &from->end_mark);
	bool block = from->data.scalar.style == YAML_LITERAL_SCALAR_STYLE || from->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;

	if (block && keeps_lines(loading, begin)) {
		if (end > begin && loading->text[end - 1] == '\n')
			end--;
		return end > begin && loading->text[end - 1] == '\r' ? end - 1 : end;
	}
	while (block && end > begin && strchr(" \r\n", loading->text[end - 1]))
		end--;
	return end;
}

/* Of a list's item, which may begin in a later line. */
static size_t find_dash(const struct loading *loading, size_t at)
{
	while (at > 0 && loading->text[at] != '-')
		at--;
	return at;
}

/* --- values ------------------------------------------------------------------------------ */

static json_t *plain_value(const char *text)
{
	static const char *const nothing[] = {"", "~", "null", "Null", "NULL"};
	static const char *const yes[] = {"true", "True", "TRUE"};
	static const char *const no[] = {"false", "False", "FALSE"};
	long long number;
	char *end;

	for (size_t i = 0; i < KSM_COUNT_OF(nothing); i++) {
		if (strcmp(text, nothing[i]) == 0)
			return json_null();
	}
	for (size_t i = 0; i < KSM_COUNT_OF(yes); i++) {
		if (strcmp(text, yes[i]) == 0)
			return json_true();
		if (strcmp(text, no[i]) == 0)
			return json_false();
	}
	errno = 0;
	number = strtoll(text, &end, 10);
	/* 0755 and the like are no decimal numbers to everybody. */
	if (!errno && !*end && strchr("-123456789", text[0]) && strcmp(text, "-") != 0)
		return json_integer(number);
	return strcmp(text, "0") == 0 ? json_integer(0) : json_string(text);
}

static json_t *scalar_value(const yaml_node_t *from)
{
	const char *text = (const char *)from->data.scalar.value;

	if (strlen(text) != from->data.scalar.length)
		return NULL;
	if (from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strcmp((const char *)from->tag, YAML_STR_TAG) == 0)
		return plain_value(text);
	return json_string(text);
}

static void free_node(struct ksr_yaml_node *node)
{
	for (size_t i = 0; node && i < node->count; i++)
		free_node(node->entries[i].value);
	if (node)
		free(node->entries);
	free(node);
}

static struct ksr_yaml_node *load_node(struct loading *loading, int index, bool shared, size_t depth);

static int load_scalar(struct loading *loading, const yaml_node_t *from, struct ksr_yaml_node *node)
{
	static const char quotes[] = {[YAML_SINGLE_QUOTED_SCALAR_STYLE] = '\'', [YAML_DOUBLE_QUOTED_SCALAR_STYLE] = '"',
				      [YAML_LITERAL_SCALAR_STYLE] = '|', [YAML_FOLDED_SCALAR_STYLE] = '|'};

	node->quote = quotes[from->data.scalar.style];
	node->end = scalar_end(loading, from, node->begin);
	node->json = scalar_value(from);
	return node->json ? 0 : refuse(loading, from->start_mark.line, "a text that is none in JSON");
}

static int load_list(struct loading *loading, const yaml_node_t *from, struct ksr_yaml_node *node, size_t depth)
{
	const yaml_node_item_t *first = from->data.sequence.items.start;
	size_t count = (size_t)(from->data.sequence.items.top - first);

	node->flow = from->data.sequence.style == YAML_FLOW_SEQUENCE_STYLE;
	node->json = json_array();
	node->entries = calloc(count ? count : 1, sizeof(*node->entries));
	if (!node->json || !node->entries)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct ksr_yaml_node *value = load_node(loading, first[i], node->shared, depth);

		if (!value)
			return -EINVAL;
		node->entries[node->count++] = (struct ksr_yaml_entry){
			.at = node->flow ? value->begin : find_dash(loading, value->begin ? value->begin - 1 : 0), .value = value};
		if (json_array_append_new(node->json, value->json))
			return -ENOMEM;
	}
	return 0;
}

static int load_mapping(struct loading *loading, const yaml_node_t *from, struct ksr_yaml_node *node, size_t depth)
{
	const yaml_node_pair_t *first = from->data.mapping.pairs.start;
	size_t count = (size_t)(from->data.mapping.pairs.top - first);

	node->flow = from->data.mapping.style == YAML_FLOW_MAPPING_STYLE;
	node->json = json_object();
	node->entries = calloc(count ? count : 1, sizeof(*node->entries));
	if (!node->json || !node->entries)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const yaml_node_t *key = yaml_document_get_node(&loading->document, first[i].key);
		struct ksr_yaml_node *value;
		const char *name;

		if (key->type != YAML_SCALAR_NODE)
			return refuse(loading, key->start_mark.line, "a key that is no text");
		name = (const char *)key->data.scalar.value;
		if (json_object_get(node->json, name))
			return refuse(loading, key->start_mark.line, "a key is there twice");
		value = load_node(loading, first[i].value, node->shared, depth);
		if (!value)
			return -EINVAL;
		node->entries[node->count++] =
			(struct ksr_yaml_entry){.key = name, .at = place(loading, &key->start_mark), .value = value};
		if (json_object_set_new(node->json, name, value->json))
			return refuse(loading, key->start_mark.line, "a key that is no text in JSON");
		node->entries[i].key = json_object_iter_key(json_object_iter_at(node->json, name));
	}
	return 0;
}

/* A block's end, as libyaml has it, is where the next thing begins. */
static void find_end(const struct loading *loading, const yaml_node_t *from, struct ksr_yaml_node *node)
{
	if (node->flow)
		node->end = place(loading, &from->end_mark);
	else if (node->count)
		node->end = node->entries[node->count - 1].value->end;
	else
		node->end = node->begin;
	/* A value of nothing ends with its key. */
	if (!node->flow && node->count && node->end < node->entries[node->count - 1].at)
		node->end = node->entries[node->count - 1].at;
}

static struct ksr_yaml_node *load_node(struct loading *loading, int index, bool shared, size_t depth)
{
	const yaml_node_t *from = yaml_document_get_node(&loading->document, index);
	struct ksr_yaml_node *node;
	int error;

	if (depth > DEPTH_MOST || ++loading->nodes > NODES_MOST) {
		refuse(loading, from->start_mark.line, TOO_MUCH);
		return NULL;
	}
	node = calloc(1, sizeof(*node));
	if (!node) {
		snprintf(loading->why, KSR_INJECT_WHY, "out of memory");
		return NULL;
	}
	node->shared = shared || loading->references[index - 1] > 1;
	node->tagged = from->tag && strncmp((const char *)from->tag, KNOWN_TAGS, strlen(KNOWN_TAGS)) != 0;
	node->begin = place(loading, &from->start_mark);
	node->line = from->start_mark.line + 1;
	if (from->type == YAML_SCALAR_NODE) {
		error = load_scalar(loading, from, node);
	} else {
		error = from->type == YAML_SEQUENCE_NODE ? load_list(loading, from, node, depth + 1) :
							   load_mapping(loading, from, node, depth + 1);
		find_end(loading, from, node);
	}
	if (!error)
		return node;
	if (error == -ENOMEM)
		snprintf(loading->why, KSR_INJECT_WHY, "out of memory");
	json_decref(node->json);
	free_node(node);
	return NULL;
}

/* --- documents ------------------------------------------------------------------------------ */

/* Parts that several places of the document have in common, by anchors. */
static int count_references(struct loading *loading)
{
	size_t count = (size_t)(loading->document.nodes.top - loading->document.nodes.start);

	loading->references = calloc(count + 1, sizeof(*loading->references));
	if (!loading->references)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const yaml_node_t *node = &loading->document.nodes.start[i];

		if (node->type == YAML_SEQUENCE_NODE)
			for (const yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++)
				loading->references[*item - 1]++;
		if (node->type == YAML_MAPPING_NODE)
			for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++)
				loading->references[pair->value - 1]++;
	}
	return 0;
}

static int add_document(struct loading *loading, struct ksr_yaml *yaml)
{
	void *more = realloc(yaml->documents, (yaml->count + 1) * sizeof(*yaml->documents));
	struct ksr_yaml_document *made;

	if (!more)
		return -ENOMEM;
	yaml->documents = more;
	made = &yaml->documents[yaml->count++];
	*made = (struct ksr_yaml_document){0};
	if (count_references(loading))
		return -ENOMEM;
	made->root = load_node(loading, 1, false, 0);
	free(loading->references);
	if (!made->root)
		return -EINVAL;
	made->json = made->root->json;
	return 0;
}

/* 1: there was a document. */
static int load_document(struct loading *loading, yaml_parser_t *parser, struct ksr_yaml *yaml)
{
	int error;

	if (!yaml_parser_load(parser, &loading->document)) {
		snprintf(loading->why, KSR_INJECT_WHY, "line %zu: %s%s%s", parser->problem_mark.line + 1,
			 parser->problem ? parser->problem : "no YAML", parser->context ? ", " : "",
			 parser->context ? parser->context : "");
		return -EINVAL;
	}
	error = yaml_document_get_root_node(&loading->document) ? add_document(loading, yaml) : 0;
	if (error == -ENOMEM)
		snprintf(loading->why, KSR_INJECT_WHY, "out of memory");
	error = error ? error : yaml_document_get_root_node(&loading->document) != NULL;
	yaml_document_delete(&loading->document);
	return error;
}

static void begin(yaml_parser_t *parser, const struct ksr_yaml *yaml)
{
	yaml_parser_set_input_string(parser, (const unsigned char *)yaml->text, yaml->size);
	yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
}

/*
 * How deep brackets lie in each other, before a document is loaded: for each of them libyaml looks at all that are open. What is no YAML
 * is said by the loading.
 */
static bool is_too_deep(const struct ksr_yaml *yaml, size_t *line)
{
	yaml_parser_t parser;
	yaml_event_t event;
	size_t depth = 0;
	bool goes_on = true;

	if (!yaml_parser_initialize(&parser))
		return false;
	begin(&parser, yaml);
	while (goes_on && depth <= DEPTH_MOST && yaml_parser_parse(&parser, &event)) {
		*line = event.start_mark.line;
		depth += event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT;
		depth -= event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
		goes_on = event.type != YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return depth > DEPTH_MOST;
}

int ksr_yaml_load(struct ksr_yaml *yaml, const char *text, size_t size, char why[KSR_INJECT_WHY])
{
	struct loading loading = {.text = text, .size = size, .why = why};
	yaml_parser_t parser;
	size_t line = 0;
	int error;

	*yaml = (struct ksr_yaml){.text = text, .size = size};
	if (size > SIZE_MOST || memchr(text, 0, size) || (size >= 3 && memcmp(text, MARK_OF_UTF8, 3) == 0)) {
		snprintf(why, KSR_INJECT_WHY, "%s", size > SIZE_MOST ? "it is larger than a definition of containers" :
								       "it is no text in UTF-8 without a mark in front");
		return -EINVAL;
	}
	if (is_too_deep(yaml, &line))
		return refuse(&loading, line, TOO_MUCH);
	if (count_bytes(&loading) || !yaml_parser_initialize(&parser)) {
		free(loading.bytes);
		snprintf(why, KSR_INJECT_WHY, "out of memory");
		return -ENOMEM;
	}
	begin(&parser, yaml);
	do
		error = load_document(&loading, &parser, yaml);
	while (error > 0);
	yaml_parser_delete(&parser);
	free(loading.bytes);
	return error;
}

void ksr_yaml_free(struct ksr_yaml *yaml)
{
	for (size_t i = 0; i < yaml->count; i++) {
		json_decref(yaml->documents[i].json);
		free_node(yaml->documents[i].root);
	}
	free(yaml->documents);
	*yaml = (struct ksr_yaml){0};
}
