/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libksmalloc-start.so: what containers preload. It executes the program anew by `ksmalloc run`, with the options that the variable
 * KSMALLOC_START has, so that a container's command need not be known or changed.
 *
 * Loaders of all C libraries can load it, since it needs none: where ksmalloc cannot work it says so in one line, and the program
 * goes on as it is. The command lies beside this library; so does all that it needs.
 */
#define _GNU_SOURCE
#include "begin.h"

#include <limits.h>
#include <stdint.h>

#define WORDS_MOST   32	 /* of the options */
#define OPTION_BYTES 1024
#define OLDEST_MINOR 34 /* of glibc 2, as the library is built on Debian 12 */

#define SAYS "ksmalloc: this program runs without libksmalloc: "

/* glibc's, and nobody else's. */
extern const char *gnu_get_libc_version(void) __attribute__((weak));

struct start {
	const char *options;   /* the value of KSMALLOC_START */
	const char *preloaded; /* the value of LD_PRELOAD */
	char command[PATH_MAX];
	char rest[PATH_MAX]; /* LD_PRELOAD=, and what else was in there */
	char exe[PATH_MAX];
	char found[PATH_MAX];
	char words[OPTION_BYTES];
};

static void refuse(const char *why)
{
	if (!ksm_begin_is_first())
		return;
	ksm_begin_say(SAYS);
	ksm_begin_say(why);
	ksm_begin_say("\n");
}

static bool is_fit(void)
{
	const char *version = gnu_get_libc_version ? gnu_get_libc_version() : NULL;
	unsigned int minor = 0;

	if (!version) {
		refuse("its C library is not glibc (as in Alpine, which has musl); take an image with glibc 2.34 or newer");
		return false;
	}
	if (version[0] == '2' && version[1] == '.') {
		for (const char *at = version + 2; *at >= '0' && *at <= '9' && minor < 1000; at++)
			minor = 10 * minor + (unsigned int)(*at - '0');
		if (minor < OLDEST_MINOR) {
			refuse("its glibc is older than 2.34; take an image of Debian 12, Ubuntu 22.04, RHEL 9 or newer");
			return false;
		}
	}
	return true;
}

/* --- the environment ---------------------------------------------------------------- */

static void look(struct start *start, const char *const *environment)
{
	for (; *environment; environment++) {
		const char *options = ksm_begin_value(*environment, "KSMALLOC_START=");
		const char *preloaded = ksm_begin_value(*environment, "LD_PRELOAD=");

		start->options = options ? options : start->options;
		start->preloaded = preloaded ? preloaded : start->preloaded;
	}
}

static size_t entry_length(const char *list)
{
	size_t length = 0;

	while (list[length] && list[length] != ':' && list[length] != ' ')
		length++;
	return length;
}

/* Our own entry says where the command is; the others stay. */
static bool divide_preloaded(struct start *start)
{
	static const char name[] = "/libksmalloc-start.so";
	const size_t name_bytes = sizeof(name) - 1;
	char *command = start->command;
	char *rest = start->rest;
	bool found = false;
	bool first = true;
	bool good = ksm_begin_append(&rest, start->rest + sizeof(start->rest), "LD_PRELOAD=", sizeof("LD_PRELOAD=") - 1);

	for (const char *at = start->preloaded; good && at && *at;) {
		size_t length = entry_length(at);

		if (length > name_bytes && ksm_begin_equal(at + length - name_bytes, name, name_bytes)) {
			found = true;
			command = start->command;
			good = ksm_begin_append(&command, start->command + PATH_MAX, at, length - name_bytes) &&
			       ksm_begin_append(&command, start->command + PATH_MAX, "/ksmalloc", sizeof("/ksmalloc") - 1);
		} else if (length) {
			good = (first || ksm_begin_append(&rest, start->rest + PATH_MAX, ":", 1)) &&
			       ksm_begin_append(&rest, start->rest + PATH_MAX, at, length);
			first = false;
		}
		at += length + (at[length] != '\0');
	}
	return good && found;
}

/* --- the program ----------------------------------------------------------------------- */

static bool is_file(const char *path, const struct ksm_begin_file *file)
{
	struct ksm_begin_file other;

	return ksm_begin_file(path, &other) && other.device == file->device && other.inode == file->inode;
}

static bool has_slash(const char *text)
{
	while (*text && *text != '/')
		text++;
	return *text == '/';
}

/* Whether a search in PATH comes to the same file. */
static bool is_found(struct start *start, const char *name, const char *path, const struct ksm_begin_file *file)
{
	while (path && *path) {
		struct ksm_begin_file first;
		size_t length = 0;
		char *at = start->found;

		while (path[length] && path[length] != ':')
			length++;
		if (length && ksm_begin_append(&at, start->found + PATH_MAX, path, length) &&
		    ksm_begin_append(&at, start->found + PATH_MAX, "/", 1) &&
		    ksm_begin_append(&at, start->found + PATH_MAX, name, ksm_begin_length(name)) &&
		    ksm_begin_file(start->found, &first))
			return first.device == file->device && first.inode == file->inode;
		path += length + (path[length] == ':');
	}
	return false;
}

/* What the process was started as, if that leads to its file again; else the file. NULL: it cannot be told. */
static const char *program_of(struct start *start, const char *name, const char *const *environment)
{
	struct ksm_begin_file file;
	const char *path = NULL;
	const char *base;

	if (!name || !ksm_begin_file("/proc/self/exe", &file) || !ksm_begin_link("/proc/self/exe", start->exe, sizeof(start->exe)))
		return NULL;
	base = start->exe + ksm_begin_length(start->exe);
	while (base > start->exe && base[-1] != '/')
		base--;
	/* The arguments of a loader that was started by its name are not all here. */
	if (ksm_begin_value(base, "ld-") || ksm_begin_value(base, "ld.so"))
		return NULL;
	for (; *environment && !path; environment++)
		path = ksm_begin_value(*environment, "PATH=");
	if (has_slash(name) ? is_file(name, &file) : is_found(start, name, path, &file))
		return name;
	return is_file(start->exe, &file) ? start->exe : NULL;
}

/* --- the new command line ----------------------------------------------------------------- */

static size_t put_options(struct start *start, const char **words)
{
	char *at = start->words;
	size_t count = 0;

	if (!ksm_begin_append(&at, start->words + OPTION_BYTES, start->options, ksm_begin_length(start->options)))
		return 0;
	for (at = start->words; *at && count < WORDS_MOST;) {
		while (*at == ' ')
			*at++ = '\0';
		if (*at)
			words[count++] = at;
		while (*at && *at != ' ')
			at++;
	}
	return count;
}

static void execute(struct start *start, const char *program, size_t words, const char *const *argv, size_t entries,
		    const char *const *environment)
{
	const char **line = ksm_begin_memory((words + WORDS_MOST + 8 + entries + 2) * sizeof(*line));
	const char **variables;
	size_t used = 0;
	size_t kept = 0;

	if (!line)
		return;
	variables = line + words + WORDS_MOST + 8;
	line[used++] = start->command;
	line[used++] = "run";
	line[used++] = "--or-without";
	/* A name that leads nowhere says something, as that of a login shell; it is read before an option that may be wrong. */
	if (program != argv[0]) {
		line[used++] = "--argv0";
		line[used++] = argv[0];
	}
	used += put_options(start, line + used);
	line[used++] = "--";
	line[used++] = program;
	for (size_t i = 1; i < words; i++)
		line[used++] = argv[i];
	line[used] = NULL;
	for (size_t i = 0; i < entries; i++) {
		if (!ksm_begin_value(environment[i], "KSMALLOC_START=") && !ksm_begin_value(environment[i], "LD_PRELOAD="))
			variables[kept++] = environment[i];
	}
	if (start->rest[sizeof("LD_PRELOAD=") - 1])
		variables[kept++] = start->rest;
	variables[kept] = NULL;
	ksm_begin_execute(start->command, line, variables);
	refuse("the volume with ksmalloc has no command that can be executed");
}

/* Loaders of glibc call it with the arguments of main(); those of others call it without, and it looks at none then. */
__attribute__((constructor, used)) static void begin(int argc, const char *const *argv, const char *const *environment)
{
	struct start start;
	const char *program;
	size_t entries = 0;

	if (!is_fit())
		return;
	start.options = NULL;
	start.preloaded = NULL;
	look(&start, environment);
	if (!start.options || argc < 1 || !divide_preloaded(&start))
		return;
	program = program_of(&start, argv[0], environment);
	if (!program) {
		refuse("there is no /proc, it was started through its loader, or its file is gone");
		return;
	}
	while (environment[entries])
		entries++;
	execute(&start, program, (size_t)argc, argv, entries, environment);
}
