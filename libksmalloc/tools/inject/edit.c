/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wanted values are compared with those that are there, from the root on; what differs becomes changes of the text, which are
 * made all at once. A line that is put in brings the line end in front of it, so that it can be taken out together with that.
 */
#define _GNU_SOURCE
#include "inject/edit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the text that others take the place of. */
struct change {
	size_t at;
	size_t bytes;
	char *text;
	size_t number; /* in which order they were found, for those at the same place */
};

struct editing {
	const struct ksr_yaml *yaml;
	const char *line_end;
	bool json; /* the whole text has the form of JSON */
	struct change *changes;
	size_t count;
	char *why;
};

static int refuse(const struct editing *editing, const struct ksr_yaml_node *node, const char *what)
{
	snprintf(editing->why, KSR_INJECT_WHY, "line %zu: %s", node->line, what);
	return -EINVAL;
}

static int out_of_memory(const struct editing *editing)
{
	snprintf(editing->why, KSR_INJECT_WHY, "out of memory");
	return -ENOMEM;
}

/* Takes the text. */
static int add_change(struct editing *editing, size_t at, size_t bytes, char *text)
{
	void *more = text ? realloc(editing->changes, (editing->count + 1) * sizeof(*editing->changes)) : NULL;

	if (!more) {
		free(text);
		return out_of_memory(editing);
	}
	editing->changes = more;
	editing->changes[editing->count] = (struct change){.at = at, .bytes = bytes, .text = text, .number = editing->count};
	editing->count++;
	return 0;
}

/* --- places ------------------------------------------------------------------------- */

/* Where the line ends that has this byte, a comment in it included; before the line end. */
static size_t line_end_of(const struct ksr_yaml *yaml, size_t at)
{
	const char *end = memchr(yaml->text + at, '\n', yaml->size - at);
	size_t found = end ? (size_t)(end - yaml->text) : yaml->size;

	return found > at && yaml->text[found - 1] == '\r' ? found - 1 : found;
}

static size_t line_begin_of(const struct ksr_yaml *yaml, size_t at)
{
	while (at > 0 && yaml->text[at - 1] != '\n')
		at--;
	return at;
}

static bool is_blank(const struct ksr_yaml *yaml, size_t begin, size_t end)
{
	while (begin < end && strchr(" \t\r\n", yaml->text[begin]))
		begin++;
	return begin >= end;
}

static size_t column_of(const struct ksr_yaml *yaml, size_t at)
{
	return at - line_begin_of(yaml, at);
}

/* --- putting in ------------------------------------------------------------------------ */

/* Behind what is there; in brackets on the same line. */
static int put_in_flow(struct editing *editing, const struct ksr_yaml_node *node, const json_t *more)
{
	size_t at = node->end - 1;
	char *text = editing->json ? json_dumps(more, 0) : ksr_yaml_flow(more);
	char *joined = NULL;
	size_t length = text ? strlen(text) : 0;

	/* Behind the last value. */
	while (at > node->begin && strchr(" \t\r\n", editing->yaml->text[at - 1]))
		at--;
	if (text && asprintf(&joined, "%s%.*s", node->count ? ", " : "", (int)length - 2, text + 1) < 0)
		joined = NULL;
	free(text);
	/* With the value it would be taken out again. */
	if (node->count && editing->yaml->text[at - 1] == ',') {
		free(joined);
		return refuse(editing, node, "has a comma behind its last value; take that out");
	}
	return add_change(editing, at, 0, joined);
}

static int put_in(struct editing *editing, const struct ksr_yaml_node *node, const json_t *more)
{
	size_t blanks;

	if (node->flow)
		return put_in_flow(editing, node, more);
	blanks = column_of(editing->yaml, node->entries[0].at);
	return add_change(editing, line_end_of(editing->yaml, node->end), 0, ksr_yaml_block(more, blanks, editing->line_end));
}

/* --- taking out -------------------------------------------------------------------------- */

static int take_out_of_flow(struct editing *editing, const struct ksr_yaml_node *node, size_t index)
{
	size_t begin = node->entries[index].at;
	size_t end = node->entries[index].value->end;

	if (index > 0)
		begin = node->entries[index - 1].value->end;
	else if (node->count > 1)
		end = node->entries[1].at;
	return add_change(editing, begin, end - begin, strdup(""));
}

/* With the lines that it takes; comments before it stay. */
static int take_out(struct editing *editing, const struct ksr_yaml_node *node, size_t index)
{
	const struct ksr_yaml *yaml = editing->yaml;
	size_t begin = line_begin_of(yaml, node->entries[index].at);
	size_t end = line_end_of(yaml, ksm_max(node->entries[index].value->end, node->entries[index].at));

	if (node->flow)
		return take_out_of_flow(editing, node, index);
	if (!is_blank(yaml, begin, node->entries[index].at))
		return refuse(editing, node->entries[index].value, "what is to go begins on a line with something else; take it out by hand");
	if (begin > 0)
		begin -= begin > 1 && yaml->text[begin - 2] == '\r' ? 2 : 1;
	else if (end < yaml->size)
		end += yaml->text[end] == '\r' ? 2 : 1;
	return add_change(editing, begin, end - begin, strdup(""));
}

/* --- comparing ----------------------------------------------------------------------------- */

/* In the quotes that are there, unless these cannot hold it. */
static int write_scalar(struct editing *editing, const struct ksr_yaml_node *node, const json_t *wanted)
{
	const char *value = json_string_value(wanted);
	char *text = NULL;

	if (value && node->quote == '\'' && !strpbrk(value, "'\n")) {
		if (asprintf(&text, "'%s'", value) < 0)
			text = NULL;
	} else if (editing->json || (value && (node->quote || !ksr_yaml_is_plain(value)))) {
		text = json_dumps(wanted, JSON_ENCODE_ANY);
	} else {
		text = ksr_yaml_flow(wanted);
	}
	/* A value of nothing stands right behind the colon. */
	if (text && node->begin == node->end && node->begin > 0 && editing->yaml->text[node->begin - 1] == ':') {
		char *behind = NULL;

		if (asprintf(&behind, " %s", text) < 0)
			behind = NULL;
		free(text);
		text = behind;
	}
	return add_change(editing, node->begin, node->end - node->begin, text);
}

/*
 * Where a mapping begins in place of a list, and the list in place of that: a list may stand right below its key, a mapping may not,
 * and has to say by its column that it was such a list.
 */
static size_t other_column(size_t column, size_t key, bool to_list)
{
	static const size_t lists[] = {0, 4};
	static const size_t mappings[] = {4, 3};

	for (size_t i = 0; i < KSM_COUNT_OF(lists); i++) {
		if (column == key + (to_list ? mappings[i] : lists[i]))
			return key + (to_list ? lists[i] : mappings[i]);
	}
	return column;
}

static bool has_comment(const struct ksr_yaml *yaml, size_t begin, size_t end)
{
	for (; begin < end; begin++) {
		if (yaml->text[begin] == '#' && begin > 0 && strchr(" \t\n", yaml->text[begin - 1]))
			return true;
	}
	return false;
}

/* A list that becomes a mapping, or the other way; key: the column of what it is the value of. */
static int rewrite(struct editing *editing, const struct ksr_yaml_node *node, size_t key, const json_t *wanted)
{
	size_t first = node->flow ? 0 : line_begin_of(editing->yaml, node->entries[0].at);
	size_t begin = first;

	if (has_comment(editing->yaml, node->flow ? node->begin : node->entries[0].at, node->end))
		return refuse(editing, node, "has a comment in it, and has to be written anew; put the comment elsewhere");
	if (node->flow)
		return add_change(editing, node->begin, node->end - node->begin, editing->json ? json_dumps(wanted, 0) : ksr_yaml_flow(wanted));
	if (begin == 0 || !is_blank(editing->yaml, begin, node->entries[0].at))
		return refuse(editing, node, "begins on a line with something else, and has to be written anew");
	begin -= begin > 1 && editing->yaml->text[begin - 2] == '\r' ? 2 : 1;
	return add_change(editing, begin, node->end - begin,
			  ksr_yaml_block(wanted, other_column(node->entries[0].at - first, key, json_is_array(wanted)),
					 editing->line_end));
}

static int compare(struct editing *editing, const struct ksr_yaml_node *node, size_t key, const json_t *wanted);

static int compare_mapping(struct editing *editing, const struct ksr_yaml_node *node, const json_t *wanted)
{
	json_t *more = json_object();
	json_t *object = (json_t *)(uintptr_t)wanted;
	int error = more ? 0 : out_of_memory(editing);

	for (size_t i = 0; !error && i < node->count; i++) {
		const json_t *value = json_object_get(wanted, node->entries[i].key);

		error = value ? compare(editing, node->entries[i].value, column_of(editing->yaml, node->entries[i].at), value) :
				take_out(editing, node, i);
	}
	for (void *at = json_object_iter(object); !error && at; at = json_object_iter_next(object, at)) {
		if (!json_object_get(node->json, json_object_iter_key(at)))
			json_object_set(more, json_object_iter_key(at), json_object_iter_value(at));
	}
	if (!error && json_object_size(more))
		error = put_in(editing, node, more);
	json_decref(more);
	return error;
}

/*
 * Whether a list's item is another form of the same: it has the same name, or sets the same variable; what has no name, such as a
 * document in a List, is known by its place where nothing came and nothing went.
 */
static bool is_same(const json_t *item, const json_t *other, bool same_count)
{
	const char *name = json_string_value(json_object_get(item, "name"));
	const char *other_name = json_string_value(json_object_get(other, "name"));
	const char *text = json_string_value(item);
	const char *other_text = json_string_value(other);

	if (name && other_name)
		return strcmp(name, other_name) == 0;
	if (text && other_text && strchr(text, '='))
		return strncmp(text, other_text, strcspn(text, "=") + 1) == 0;
	return json_equal(item, other) || (same_count && json_is_object(item) && json_is_object(other) && !name && !other_name);
}

static int compare_list(struct editing *editing, const struct ksr_yaml_node *node, const json_t *wanted)
{
	json_t *more = json_array();
	int error = more ? 0 : out_of_memory(editing);
	bool same_count = json_array_size(wanted) == node->count;
	size_t at = 0;

	for (size_t i = 0; !error && i < node->count; i++) {
		const json_t *value = json_array_get(wanted, at);

		if (value && is_same(node->entries[i].value->json, value, same_count)) {
			error = compare(editing, node->entries[i].value, column_of(editing->yaml, node->entries[i].at), value);
			at++;
		} else {
			error = take_out(editing, node, i);
		}
	}
	for (; !error && at < json_array_size(wanted); at++)
		json_array_append(more, json_array_get(wanted, at));
	if (!error && json_array_size(more))
		error = put_in(editing, node, more);
	json_decref(more);
	return error;
}

static int compare(struct editing *editing, const struct ksr_yaml_node *node, size_t key, const json_t *wanted)
{
	if (json_equal(node->json, wanted))
		return 0;
	if (node->shared)
		return refuse(editing, node, "is written once for several places, by an anchor; write it out where it is to be changed");
	if (node->tagged)
		return refuse(editing, node, "has a tag (!...), and what is put there would have it, too; write it out without");
	if (json_is_object(node->json) && json_is_object(wanted) && (node->count || node->flow))
		return compare_mapping(editing, node, wanted);
	if (json_is_array(node->json) && json_is_array(wanted) && (node->count || node->flow))
		return compare_list(editing, node, wanted);
	if (node->quote == '|')
		return refuse(editing, node, "cannot be written anew in this form");
	return node->count ? rewrite(editing, node, key, wanted) : write_scalar(editing, node, wanted);
}

/* --- the text ---------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	const struct change *first = a;
	const struct change *second = b;

	if (first->at != second->at)
		return first->at < second->at ? -1 : 1;
	/* Of several lines that are put in at one place those of the innermost come first: they were found first. */
	return first->number < second->number ? -1 : 1;
}

static char *make(const struct editing *editing)
{
	char *text = NULL;
	size_t size = 0;
	size_t done = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	qsort(editing->changes, editing->count, sizeof(*editing->changes), by_place);
	for (size_t i = 0; i < editing->count; i++) {
		const struct change *change = &editing->changes[i];

		/* What is taken out with what is around it. */
		if (change->at > done)
			fwrite(editing->yaml->text + done, 1, change->at - done, out);
		fputs(change->text, out);
		done = ksm_max(done, change->at + change->bytes);
	}
	fwrite(editing->yaml->text + done, 1, editing->yaml->size - done, out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* Whatever was wrong in the above is found here. */
static bool is_as_wanted(const char *text, const struct ksr_yaml *before, json_t *const *wanted, char *why)
{
	struct ksr_yaml after;
	bool good = ksr_yaml_load(&after, text, strlen(text), why) == 0 && after.count == before->count;

	for (size_t i = 0; good && i < after.count; i++)
		good = json_equal(after.documents[i].json, wanted[i]);
	ksr_yaml_free(&after);
	if (!good)
		snprintf(why, KSR_INJECT_WHY, "its YAML is written in a way in which it cannot be changed in its place; write lists and "
			 "mappings line by line");
	return good;
}

char *ksr_edit(const struct ksr_yaml *yaml, json_t *const *wanted, char why[KSR_INJECT_WHY])
{
	const char *first = memchr(yaml->text, '\n', yaml->size);
	struct editing editing = {.yaml = yaml, .why = why, .line_end = first && first > yaml->text && first[-1] == '\r' ? "\r\n" : "\n"};
	char *text = NULL;
	int error = 0;

	editing.json = yaml->count == 1 && yaml->documents[0].root->flow;
	for (size_t i = 0; !error && i < yaml->count; i++)
		error = compare(&editing, yaml->documents[i].root, 0, wanted[i]);
	if (!error) {
		text = make(&editing);
		if (!text)
			out_of_memory(&editing);
	}
	if (text && !is_as_wanted(text, yaml, wanted, why)) {
		free(text);
		text = NULL;
	}
	for (size_t i = 0; i < editing.count; i++)
		free(editing.changes[i].text);
	free(editing.changes);
	return text;
}
