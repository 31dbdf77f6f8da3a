/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "show/saved.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "read/fs.h"
#include "show/emitter.h"
#include "show/origins.h"

/* No more groups than machines have processes. */
#define GROUPS_MOST 100000

struct reading {
	struct ksr_picture *picture;
	uint32_t *frames; /* of the rows of the file, those of the picture */
	size_t frame_count;
	char *why;
};

static int refuse(struct reading *reading, const char *table, size_t row, const char *field)
{
	snprintf(reading->why, KSR_SAVED_WHY, "is damaged: row %zu of %s has no valid %s", row + 1, table, field);
	return -EINVAL;
}

/* A number from 0 on; false when it is anything else. */
static bool get_number(const json_t *row, const char *key, uint64_t most, uint64_t *number)
{
	const json_t *value = json_object_get(row, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*number = (uint64_t)json_integer_value(value);
	return *number <= most;
}

/* Memory that nobody asked for has had other names: what was saved with them is compared with what has these. */
static const char *present_name(const char *text)
{
	static const char *const names[][2] = {
		{"(small blocks, in jemalloc's memory)", "(small blocks)"},
		{"(bss and other anonymous memory)", "(other anonymous memory)"},
		{"(brk)", "(heap of libc)"},
	};

	for (size_t i = 0; i < KSM_COUNT_OF(names); i++) {
		if (strcmp(text, names[i][0]) == 0)
			return names[i][1];
	}
	return text;
}

/* A text, or null, which is the empty one. */
static bool get_text(struct reading *reading, const json_t *row, const char *key, uint32_t *number)
{
	const json_t *value = json_object_get(row, key);

	if (!value || !(json_is_string(value) || json_is_null(value)))
		return false;
	*number = json_is_null(value) ? 0 : ksr_picture_text(reading->picture, present_name(json_string_value(value)));
	return true;
}

static int read_frames(struct reading *reading, const json_t *table)
{
	const json_t *row;
	size_t index;

	reading->frame_count = json_array_size(table);
	reading->frames = calloc(reading->frame_count + 1, sizeof(*reading->frames));
	if (!reading->frames)
		return -ENOMEM;
	json_array_foreach(table, index, row)
	{
		struct ksr_picture_frame frame = {0};
		uint64_t line = 0;
		struct {
			const char *key;
			uint32_t *text;
		} const texts[] = {
			{"function", &frame.function}, {"file", &frame.file},	      {"module", &frame.module},
			{"build_id", &frame.build_id}, {"language", &frame.language},
		};

		for (size_t i = 0; i < KSM_COUNT_OF(texts); i++) {
			if (!get_text(reading, row, texts[i].key, texts[i].text))
				return refuse(reading, "frames", index, texts[i].key);
		}
		if (!json_is_null(json_object_get(row, "line")) && !get_number(row, "line", UINT32_MAX, &line))
			return refuse(reading, "frames", index, "line");
		frame.line = (uint32_t)line;
		reading->frames[index] = ksr_picture_frame(reading->picture, &frame);
	}
	return reading->picture->error;
}

static int read_group(struct reading *reading, const char *table, size_t index, const json_t *row, uint32_t *group)
{
	const struct ksr_pool *texts = &reading->picture->texts;
	uint32_t name;
	uint32_t layout;

	if (!get_text(reading, row, "group", &name))
		return refuse(reading, table, index, "group");
	if (!get_text(reading, row, "layout", &layout))
		return refuse(reading, table, index, "layout");
	*group = ksr_picture_group(reading->picture, ksr_pool_text(texts, name), ksr_pool_text(texts, layout));
	if (reading->picture->group_count > GROUPS_MOST)
		return refuse(reading, table, index, "group: there are too many");
	return reading->picture->error;
}

static int read_groups(struct reading *reading, const json_t *table)
{
	const json_t *row;
	size_t index;

	json_array_foreach(table, index, row)
	{
		uint64_t processes;
		uint64_t store;
		uint32_t group;
		int error = read_group(reading, "group_totals", index, row, &group);

		if (error)
			return error;
		if (!get_number(row, "processes", UINT32_MAX, &processes))
			return refuse(reading, "group_totals", index, "processes");
		if (!get_number(row, "store", UINT64_MAX, &store))
			return refuse(reading, "group_totals", index, "store");
		reading->picture->groups[group].processes = (uint32_t)processes;
		reading->picture->groups[group].store = store;
	}
	return 0;
}

static int read_stack(struct reading *reading, size_t index, const json_t *row, uint32_t *stack, size_t *count)
{
	const json_t *list = json_object_get(row, "stack");
	const json_t *item;
	size_t depth;

	if (!json_is_array(list) || json_array_size(list) > KSR_STACK_MOST)
		return refuse(reading, "origins", index, "stack");
	json_array_foreach(list, depth, item)
	{
		json_int_t frame = json_is_integer(item) ? json_integer_value(item) : -1;

		if (frame < 0 || (uint64_t)frame >= reading->frame_count)
			return refuse(reading, "origins", index, "stack");
		stack[depth] = reading->frames[frame];
	}
	*count = json_array_size(list);
	return 0;
}

static int read_origin(struct reading *reading, size_t index, const json_t *row)
{
	struct ksr_picture_origin origin = {0};
	const json_t *id = json_object_get(row, "id");
	uint32_t stack[KSR_STACK_MOST];
	uint64_t processes;
	uint64_t shown;
	size_t count;
	int error = read_group(reading, "origins", index, row, &origin.group);

	if (!error)
		error = read_stack(reading, index, row, stack, &count);
	if (error)
		return error;
	if (!json_is_string(id) && !json_is_null(id))
		return refuse(reading, "origins", index, "id");
	origin.id = json_is_string(id) ? strtoull(json_string_value(id), NULL, 16) : 0;
	if (!get_text(reading, row, "origin", &origin.name))
		return refuse(reading, "origins", index, "origin");
	if (!get_text(reading, row, "program", &origin.program))
		return refuse(reading, "origins", index, "program");
	if (!get_number(row, "processes", UINT32_MAX, &processes) || !get_number(row, "shown", count, &shown))
		return refuse(reading, "origins", index, "processes and shown");
	for (int value = 0; value < KSR_VALUE_COUNT; value++) {
		const char *key = ksr_value_key((enum ksr_value)value);

		if (!get_number(row, key, INT64_MAX, &origin.values[value]))
			return refuse(reading, "origins", index, key);
	}
	origin.processes = (uint32_t)processes;
	origin.shown = (uint32_t)shown;
	ksr_picture_add(reading->picture, &origin, stack, count);
	return reading->picture->error;
}

/* What says that it is a report, of a version that is known. */
static int check_form(const json_t *root, char *why, struct ksr_picture *picture)
{
	const json_t *form = json_object_get(root, "form");
	const char *name = json_string_value(json_object_get(form, "name"));
	json_int_t version = json_integer_value(json_object_get(root, "version"));

	if (!name || strcmp(name, KSR_REPORT_FORM) != 0) {
		snprintf(why, KSR_SAVED_WHY, "is no saved report; 'ksmalloc report --save FILE' makes one");
		return -EINVAL;
	}
	if (version != KSR_JSON_VERSION) {
		snprintf(why, KSR_SAVED_WHY,
			 "has version %lld of a saved report, and only %d is known here; save it with this version of ksmalloc",
			 (long long)version, KSR_JSON_VERSION);
		return -EINVAL;
	}
	if (!get_number(form, "seconds", UINT32_MAX, &picture->time))
		picture->time = 0;
	return 0;
}

static int read_tables(const json_t *root, struct ksr_picture *picture, char *why)
{
	struct reading reading = {.picture = picture, .why = why};
	static const char *const tables[] = {"frames", "group_totals", "origins"};
	const json_t *row;
	size_t index;
	int error;

	for (size_t i = 0; i < KSM_COUNT_OF(tables); i++) {
		if (json_is_array(json_object_get(root, tables[i])))
			continue;
		snprintf(why, KSR_SAVED_WHY, "is damaged: it has no %s", tables[i]);
		return -EINVAL;
	}
	error = read_frames(&reading, json_object_get(root, "frames"));
	if (!error)
		error = read_groups(&reading, json_object_get(root, "group_totals"));
	json_array_foreach(json_object_get(root, "origins"), index, row)
	{
		if (!error)
			error = read_origin(&reading, index, row);
	}
	free(reading.frames);
	return error ? error : ksr_picture_finish(picture);
}

int ksr_saved_parse(const char *data, size_t size, struct ksr_picture *picture, char why[KSR_SAVED_WHY])
{
	json_error_t problem;
	int error = ksr_picture_init(picture);
	json_t *root = error ? NULL : json_loadb(data, size, 0, &problem);

	why[0] = '\0';
	if (error)
		return error;
	/* Its end may be in the middle of a word. */
	if (!root && (json_error_code(&problem) == json_error_premature_end_of_input ||
		      (problem.position >= 0 && (size_t)problem.position >= size))) {
		snprintf(why, KSR_SAVED_WHY, "ends too early, at line %d: it was not written to its end", problem.line);
		return -EINVAL;
	}
	if (!root) {
		snprintf(why, KSR_SAVED_WHY, "is no saved report: it is no JSON (line %d)", problem.line);
		return -EINVAL;
	}
	error = check_form(root, why, picture);
	if (!error)
		error = read_tables(root, picture, why);
	json_decref(root);
	return error;
}

static int read_file(const char *path, struct ksr_text *text, char *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	int error;

	if (fd < 0)
		return -errno;
	error = fstat(fd, &status) ? -errno : 0;
	if (!error && !S_ISREG(status.st_mode)) {
		snprintf(why, KSR_SAVED_WHY, "is no file");
		error = -EINVAL;
	}
	if (!error)
		error = ksr_fs_read_fd(fd, KSR_SAVED_MOST, text);
	if (error == -EFBIG)
		snprintf(why, KSR_SAVED_WHY, "is too large for a saved report");
	close(fd);
	return error;
}

int ksr_saved_read(const char *path, struct ksr_picture *picture, char why[KSR_SAVED_WHY])
{
	struct ksr_text text = {.data = NULL};
	int error;

	memset(picture, 0, sizeof(*picture));
	why[0] = '\0';
	error = read_file(path, &text, why);
	if (!error)
		error = ksr_saved_parse(text.data, text.size, picture, why);
	if (error && !why[0])
		snprintf(why, KSR_SAVED_WHY, "cannot be read: %s", strerror(-error));
	ksr_text_free(&text);
	return error;
}
