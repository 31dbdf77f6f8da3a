/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "enable/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "enable/unit_text.h"

#define MOST_COMMANDS 32

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

struct commands {
	char *lines[MOST_COMMANDS];
	size_t count;
	bool too_many;
};

static void take(struct commands *commands, const char *command)
{
	/* A setting to nothing begins the list anew. */
	if (!command[0])
		while (commands->count > 0)
			free(commands->lines[--commands->count]);
	else if (commands->count < MOST_COMMANDS)
		commands->lines[commands->count++] = strdup(command);
	else
		commands->too_many = true;
}

static int read_commands(const struct ksr_text *files, struct commands *commands, char *why, size_t bytes)
{
	struct ksr_unit_text *reader = calloc(1, sizeof(*reader));
	int error = reader ? 1 : -ENOMEM;

	while (error > 0) {
		error = ksr_unit_text_next(reader, files);
		if (error > 0 && !reader->in_ours && strcmp(reader->section, "Service") == 0 && strcmp(reader->name, "ExecStart") == 0)
			take(commands, reader->value);
	}
	free(reader);
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
