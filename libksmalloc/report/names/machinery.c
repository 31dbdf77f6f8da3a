/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines are kept in the order in which they decide. Most patterns begin with letters of the name itself, and comparing
 * these first is many times cheaper than fnmatch(3).
 */
#define _GNU_SOURCE
#include "names/machinery.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
	KIND_FRAME,
	KIND_OWN,
	KIND_SCRIPT,
	KIND_COUNT,
};

static const char *const kinds[] = {"frame", "own", "script"};

/* Of scripts the module is the folder. */
struct line {
	enum kind kind;
	char *text; /* what the others point into */
	const char *module;
	const char *function;
	const char *what; /* NULL: not known */
	size_t letters;	  /* of the function, before the first wildcard */
};

struct ksr_machinery {
	struct line *lines;
	size_t count;
};

static char *next_word(char **rest)
{
	char *word = *rest + strspn(*rest, " \t");
	size_t bytes = strcspn(word, " \t");

	*rest = word + bytes;
	if (word[bytes])
		word[bytes] = '\0', *rest = word + bytes + 1;
	return word;
}

/* 1 when there is a line, 0 for an empty one, -EINVAL, -ENOMEM. */
static int parse_line(const char *text, size_t bytes, struct line *line)
{
	char *rest;
	char *word;

	if (bytes > KSR_MACHINERY_LINE || memchr(text, '\0', bytes))
		return -EINVAL;
	memset(line, 0, sizeof(*line));
	line->text = strndup(text, bytes);
	if (!line->text)
		return -ENOMEM;
	line->text[strcspn(line->text, "\r")] = '\0';
	rest = line->text;
	word = next_word(&rest);
	if (!word[0] || word[0] == '#')
		return 0;
	while (line->kind < KIND_COUNT && strcmp(word, kinds[line->kind]) != 0)
		line->kind++;
	line->module = next_word(&rest);
	line->function = line->kind == KIND_SCRIPT ? "" : next_word(&rest);
	rest += strspn(rest, " \t");
	line->what = rest[0] ? rest : NULL;
	line->letters = strcspn(line->function, "*?[\\");
	if (line->kind == KIND_COUNT || !line->module[0] || (line->kind != KIND_SCRIPT && !line->function[0]) ||
	    (line->kind != KIND_FRAME && line->what))
		return -EINVAL;
	return 1;
}

static void free_lines(struct line *lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(lines[i].text);
	free(lines);
}

struct ksr_machinery *ksr_machinery_create(void)
{
	struct ksr_machinery *machinery = calloc(1, sizeof(*machinery));
	size_t lines = 0;

	while (ksr_machinery_table[lines])
		lines++;
	if (machinery)
		machinery->lines = calloc(lines + 1, sizeof(*machinery->lines));
	if (!machinery || !machinery->lines) {
		free(machinery);
		return NULL;
	}
	for (size_t i = 0; ksr_machinery_table[i]; i++) {
		struct line *line = &machinery->lines[machinery->count];
		int result = parse_line(ksr_machinery_table[i], strlen(ksr_machinery_table[i]), line);

		if (result > 0) {
			machinery->count++;
			continue;
		}
		free(line->text);
		line->text = NULL;
		/* The unit tests find a line that is wrong. */
		if (result < 0) {
			ksr_machinery_destroy(machinery);
			return NULL;
		}
	}
	return machinery;
}

void ksr_machinery_destroy(struct ksr_machinery *machinery)
{
	if (!machinery)
		return;
	free_lines(machinery->lines, machinery->count);
	free(machinery);
}

static int refuse(char *why, size_t why_bytes, size_t number, int error)
{
	if (error == -EINVAL)
		snprintf(why, why_bytes,
			 "line %zu: give 'frame MODULE FUNCTION [WHAT]', 'own MODULE FUNCTION' or 'script FOLDER', "
			 "at most %d bytes and %d lines", number, KSR_MACHINERY_LINE, KSR_MACHINERY_MOST);
	else
		snprintf(why, why_bytes, "%s", strerror(-error));
	return error;
}

/* Puts lines before those that are there. */
static int put_first(struct ksr_machinery *machinery, struct line *added, size_t count)
{
	struct line *all = calloc(machinery->count + count + 1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	memcpy(all, added, count * sizeof(*all));
	memcpy(all + count, machinery->lines, machinery->count * sizeof(*all));
	free(machinery->lines);
	machinery->lines = all;
	machinery->count += count;
	return 0;
}

int ksr_machinery_add(struct ksr_machinery *machinery, const char *text, size_t bytes, char *why, size_t why_bytes)
{
	struct line *added = calloc(KSR_MACHINERY_MOST, sizeof(*added));
	size_t number = 0;
	size_t count = 0;
	int error = added ? 0 : -ENOMEM;

	for (size_t at = 0; at < bytes && !error; number++) {
		const char *end = memchr(text + at, '\n', bytes - at);
		size_t length = end ? (size_t)(end - text) - at : bytes - at;
		struct line line = {0};
		int result = parse_line(text + at, length, &line);

		if (result > 0 && count < KSR_MACHINERY_MOST)
			added[count++] = line;
		else
			free(line.text);
		if (result < 0 || (result > 0 && count == KSR_MACHINERY_MOST))
			error = result < 0 ? result : -EINVAL;
		at += length + 1;
	}
	if (!error)
		error = put_first(machinery, added, count);
	if (!error) {
		free(added);
		return 0;
	}
	if (added)
		free_lines(added, count);
	return refuse(why, why_bytes, number, error);
}

bool ksr_machinery_has(const struct ksr_machinery *machinery, const char *function, const char *module,
		       const char **what)
{
	*what = NULL;
	for (size_t i = 0; i < machinery->count; i++) {
		const struct line *line = &machinery->lines[i];

		if (line->kind == KIND_SCRIPT || strncmp(line->function, function, line->letters) != 0 ||
		    fnmatch(line->function, function, 0) != 0 || fnmatch(line->module, module, 0) != 0)
			continue;
		*what = line->what;
		return line->kind == KIND_FRAME;
	}
	return false;
}

/* Where the last components of a path begin, as many as the pattern has. */
static const char *last_components(const char *path, size_t bytes, const char *pattern)
{
	size_t wanted = 0;

	for (; *pattern; pattern++)
		wanted += *pattern == '/';
	for (; bytes > 0; bytes--) {
		if (path[bytes - 1] == '/' && wanted-- == 0)
			return path + bytes;
	}
	return path;
}

/* The longest beginning of the path that ends as folders do and fits. */
static size_t fitting_bytes(const char *folder, const char *path)
{
	char prefix[1024];
	size_t bytes = ksm_min(strlen(path), sizeof(prefix) - 1);
	bool anywhere = strncmp(folder, "*/", 2) == 0;

	memcpy(prefix, path, bytes);
	for (; bytes > 0; bytes--) {
		const char *begin = prefix;

		if (path[bytes - 1] != '/' && path[bytes - 1] != ':')
			continue;
		prefix[bytes] = '\0';
		if (anywhere)
			begin = last_components(prefix, bytes, folder + 2);
		if (fnmatch(folder + (anywhere ? 2 : 0), begin, FNM_PATHNAME) == 0)
			return bytes;
	}
	return 0;
}

size_t ksr_machinery_script(const struct ksr_machinery *machinery, const char *path)
{
	static const char frozen[] = "<frozen ";
	size_t longest = 0;

	if (strncmp(path, frozen, strlen(frozen)) == 0)
		return strlen(frozen);
	for (size_t i = 0; i < machinery->count; i++) {
		if (machinery->lines[i].kind == KIND_SCRIPT)
			longest = ksm_max(longest, fitting_bytes(machinery->lines[i].module, path));
	}
	return longest;
}
