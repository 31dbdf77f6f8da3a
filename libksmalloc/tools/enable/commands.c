/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "enable/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_COMMANDS 32
#define LINE_BYTES    16384

/* Where a command begins behind the letters by which systemd is told how to start it; NULL: not with '@'. */
static const char *behind_letters(const char *command)
{
	size_t letters = strspn(command, "@-:+!|");

	return memchr(command, '@', letters) ? NULL : command + letters;
}

/* One command of the unit becomes the argument of `ksmalloc run`. */
static int wrap(FILE *out, const struct ksr_enable_run *run, const char *command, char *why, size_t bytes)
{
	const char *program = behind_letters(command);

	if (!program) {
		snprintf(why, bytes, "ExecStart=%s gives the program another name by '@'; write the drop-in by hand", command);
		return -EINVAL;
	}
	fprintf(out, "ExecStart=%.*s%s run --share --group=%s --profile=%s --quiet -- %s\n", (int)(program - command), command,
		run->command, run->group, run->profile, program);
	return 0;
}

/* Bytes of the first command: up to a word that is nothing but a semicolon, outside of quotes. */
static size_t first_command(const char *line)
{
	char quote = '\0';
	size_t i;

	for (i = 0; line[i]; i++) {
		bool begins_word = i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t';

		if (line[i] == '\\' && line[i + 1])
			i++;
		else if (quote)
			quote = line[i] == quote ? '\0' : quote;
		else if (line[i] == '"' || line[i] == '\'')
			quote = line[i];
		else if (line[i] == ';' && begins_word && (!line[i + 1] || line[i + 1] == ' ' || line[i + 1] == '\t'))
			break;
	}
	return i;
}

/* A line may have several commands, one after the other. */
static int wrap_line(FILE *out, const struct ksr_enable_run *run, char *line, char *why, size_t bytes)
{
	int error = 0;

	while (!error && line[0]) {
		size_t length = first_command(line);
		char *next = line + length + (line[length] == ';');

		while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t'))
			length--;
		line[length] = '\0';
		if (length > 0)
			error = wrap(out, run, line, why, bytes);
		line = next + strspn(next, " \t");
	}
	return error;
}

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
static int next_setting(const struct ksr_text *files, size_t *position, char *line, size_t bytes)
{
	const char *part;
	size_t used = 0;
	size_t length;

	while (ksr_text_line(files, position, &part, &length)) {
		bool comment = is_comment(part, length);
		bool goes_on = !comment && length > 0 && part[length - 1] == '\\';

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

struct commands {
	char *lines[MOST_COMMANDS];
	size_t count;
	bool too_many;
	bool in_service; /* the section */
	bool in_ours;	 /* the file */
};

static bool is_ours(const char *path)
{
	const char *name = strrchr(path, '/');

	return name && (strcmp(name + 1, KSR_ENABLE_NAME) == 0 || strcmp(name + 1, KSR_ENABLE_RUN_NAME) == 0);
}

/* One setting, or what begins a file or a section. */
static void take(struct commands *commands, const char *setting)
{
	const char *value = setting + strspn(setting, " \t");

	if (strncmp(value, "# /", 3) == 0) {
		commands->in_ours = is_ours(value);
		commands->in_service = false;
	} else if (value[0] == '[') {
		commands->in_service = strncmp(value, "[Service]", strlen("[Service]")) == 0;
	} else if (commands->in_service && !commands->in_ours && strncmp(value, "ExecStart", 9) == 0 &&
		   value[9 + strspn(value + 9, " \t")] == '=') {
		value = strchr(value, '=') + 1;
		value += strspn(value, " \t");
		/* A setting to nothing begins the list anew. */
		if (!value[0])
			while (commands->count > 0)
				free(commands->lines[--commands->count]);
		else if (commands->count < MOST_COMMANDS)
			commands->lines[commands->count++] = strdup(value);
		else
			commands->too_many = true;
	}
}

static int read_commands(const struct ksr_text *files, struct commands *commands, char *why, size_t bytes)
{
	char *line = malloc(LINE_BYTES);
	size_t position = 0;
	int error = line ? 1 : -ENOMEM;

	while (error > 0) {
		error = next_setting(files, &position, line, LINE_BYTES);
		if (error > 0)
			take(commands, line);
	}
	free(line);
	if (error == -E2BIG || commands->too_many) {
		snprintf(why, bytes, "it has more commands, or longer ones, than fit; write the drop-in by hand");
		return -E2BIG;
	}
	if (!error && commands->count == 0) {
		snprintf(why, bytes, "it has no ExecStart=");
		return -ENOENT;
	}
	return error;
}

char *ksr_enable_commands(const struct ksr_text *files, const struct ksr_enable_run *run, char *why, size_t bytes)
{
	struct commands commands = {.count = 0};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int error;

	snprintf(why, bytes, "out of memory");
	if (!out)
		return NULL;
	fputs("# What ksmalloc's generator makes of the commands whenever systemd reads its files.\n[Service]\nExecStart=\n", out);
	error = read_commands(files, &commands, why, bytes);
	for (size_t i = 0; i < commands.count; i++) {
		if (!error)
			error = commands.lines[i] ? wrap_line(out, run, commands.lines[i], why, bytes) : -ENOMEM;
		free(commands.lines[i]);
	}
	if (fclose(out) && !error)
		error = -ENOMEM;
	if (!error)
		return text;
	free(text);
	return NULL;
}
