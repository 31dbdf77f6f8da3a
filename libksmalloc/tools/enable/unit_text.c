/* SPDX-License-Identifier: BSD-2-Clause */
#include "enable/unit_text.h"

#include <errno.h>
#include <string.h>

/* A comment is no part of the setting that goes on around it, and nothing continues it. */
static bool is_comment(const char *part, size_t length)
{
	while (length > 0 && (*part == ' ' || *part == '\t')) {
		part++;
		length--;
	}
	return length > 0 && (*part == '#' || *part == ';');
}

/* A line of the files with those that continue it, without the backslash at its end; -E2BIG if it has no room. */
static int next_line(const struct ksr_text *files, size_t *position, char *line, size_t bytes)
{
	const char *part;
	size_t used = 0;
	size_t length;

	while (ksr_text_line(files, position, &part, &length)) {
		bool comment;
		bool goes_on;

		/* systemd ends a line there, too. */
		if (length > 0 && part[length - 1] == '\r')
			length--;
		comment = is_comment(part, length);
		goes_on = !comment && length > 0 && part[length - 1] == '\\';
		if (used > 0 && comment)
			continue;
		for (; used > 0 && length > 0 && (*part == ' ' || *part == '\t'); part++)
			length--;
		if (goes_on)
			length--;
		if (used + length + 2 > bytes)
			return -E2BIG;
		memcpy(line + used, part, length);
		used += length;
		if (!goes_on) {
			line[used] = '\0';
			return 1;
		}
		if (used > 0 && line[used - 1] != ' ')
			line[used++] = ' ';
	}
	line[used] = '\0';
	return used > 0;
}

static bool is_ours(const char *path)
{
	const char *name = strrchr(path, '/');

	return name && (strcmp(name + 1, KSR_ENABLE_NAME) == 0 || strcmp(name + 1, KSR_ENABLE_RUN_NAME) == 0);
}

/* "# /etc/systemd/system/shop.service", as a file begins; not any comment that is a path, such as of the service's own settings. */
static bool is_file(const char *text)
{
	const char *ending = strrchr(text, '.');

	return strncmp(text, "# /", 3) == 0 && strstr(text, "/systemd/") && ending && (strcmp(ending, ".service") == 0 || strcmp(ending, ".conf") == 0);
}

static void trim_end(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
		text[--length] = '\0';
}

/* What the line is: one that begins a file or a section, a setting (true), or nothing. */
static bool take(struct ksr_unit_text *reader)
{
	char *text = reader->line + strspn(reader->line, " \t");
	char *end = strchr(text, '=');

	if (is_file(text)) {
		reader->in_ours = is_ours(text);
		reader->section[0] = '\0';
	} else if (text[0] == '[') {
		snprintf(reader->section, sizeof(reader->section), "%.*s", (int)strcspn(text + 1, "]"), text + 1);
	} else if (end && text[0] != '#' && text[0] != ';') {
		*end = '\0';
		trim_end(text);
		trim_end(end + 1);
		reader->name = text;
		reader->value = end + 1 + strspn(end + 1, " \t");
		return true;
	}
	return false;
}

int ksr_unit_text_next(struct ksr_unit_text *reader, const struct ksr_text *files)
{
	int found;

	do {
		found = next_line(files, &reader->position, reader->line, sizeof(reader->line));
	} while (found > 0 && !take(reader));
	return found;
}
