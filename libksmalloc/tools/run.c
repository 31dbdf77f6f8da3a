/* SPDX-License-Identifier: BSD-2-Clause */
/* `ksmalloc run`: starts a program with the library preloaded and its options set. */
#define _GNU_SOURCE
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run_filter.h"

#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND 127

enum option_id {
	OPTION_GROUP,
	OPTION_THRESHOLD,
	OPTION_SITE_BYTES,
	OPTION_ADVISE,
	OPTION_ALLOW,
	OPTION_DENY,
	OPTION_ZERO_REUSE,
	OPTION_STATS_DIR,
	OPTION_VERBOSE,
	OPTION_SET,
	OPTION_LIBRARY,
	OPTION_LIST_OPTIONS,
};

static const struct ksr_option options[] = {
	[OPTION_GROUP] = {"group", "NAME", "Name the group of processes for reports."},
	[OPTION_THRESHOLD] = {"threshold", "SIZE", "Place blocks from this size on."},
	[OPTION_SITE_BYTES] = {"site-bytes", "SIZE", "Give a site a slot when it has held this."},
	[OPTION_ADVISE] = {"advise", "all|none", "Which slots are offered to KSM."},
	[OPTION_ALLOW] = {"allow", "LIST", "Offer only sites that match a pattern."},
	[OPTION_DENY] = {"deny", "LIST", "Never offer sites that match a pattern."},
	[OPTION_ZERO_REUSE] = {"zero-reuse", NULL, "Clear the whole of a reused block."},
	[OPTION_STATS_DIR] = {"stats-dir", "DIR", "Make the statistics segment in DIR."},
	[OPTION_VERBOSE] = {"verbose", NULL, "Let the library say that it is loaded."},
	[OPTION_SET] = {"set", "KEY=VALUE", "Set any option of the library."},
	[OPTION_LIBRARY] = {"library", "PATH", "Preload this libksmalloc.so."},
	[OPTION_LIST_OPTIONS] = {"list-options", NULL, "Show the options of the library and exit."},
};

struct run_options {
	const char *library;
	const char *lists[2]; /* allow, deny */
	bool list_options;
};

/* The library knows KSMALLOC_ and the name of an option in capitals. */
static int set_variable(const struct ksr_command *command, const char *key, size_t key_bytes,
			const char *value)
{
	char name[80] = "KSMALLOC_";
	size_t used = strlen(name);

	if (key_bytes > used && strncasecmp(key, name, used) == 0) {
		key += used;
		key_bytes -= used;
	}
	if (key_bytes == 0 || key_bytes >= sizeof(name) - used)
		return ksr_usage_error(command,
				       "--set '%.*s': no such option; "
				       "see 'ksmalloc run --list-options'",
				       (int)key_bytes, key);
	for (size_t i = 0; i < key_bytes; i++) {
		unsigned char c = (unsigned char)key[i];

		name[used++] = c == '-' ? '_' : (char)toupper(c);
	}
	name[used] = '\0';
	return setenv(name, value, 1) ? ksr_failure(command, "out of memory") : 0;
}

static int set_size(const struct ksr_command *command, size_t option, const char *value)
{
	size_t digits = strspn(value, "0123456789");
	const char *name = options[option].name;

	if (digits == 0 ||
	    (value[digits] && (!strchr("kKmMgG", value[digits]) || value[digits + 1])))
		return ksr_usage_error(command,
				       "--%s '%s' is not a size; give a number, with K, M "
				       "or G behind it if wanted",
				       name, value);
	return set_variable(command, name, strlen(name), value);
}

static int set_assignment(const struct ksr_command *command, const char *value)
{
	const char *equal = strchr(value, '=');

	if (!equal)
		return ksr_usage_error(command, "--set '%s' has no '='; give KEY=VALUE", value);
	return set_variable(command, value, (size_t)(equal - value), equal + 1);
}

static int set_advise(const struct ksr_command *command, const char *value)
{
	if (strcmp(value, "all") != 0 && strcmp(value, "none") != 0)
		return ksr_usage_error(command, "--advise '%s' is not known; give all or none",
				       value);
	return set_variable(command, "advise", 6, value);
}

/* The program may start elsewhere, and its children too: the folder must be an absolute one. */
static int set_folder(const struct ksr_command *command, const char *value)
{
	char *path = realpath(value, NULL);
	int status;

	if (!path)
		return ksr_usage_error(command, "--stats-dir '%s': %s; give a folder that exists",
				       value, strerror(errno));
	status = set_variable(command, "stats_dir", 9, path);
	free(path);
	return status;
}

static int set(const struct ksr_command *command, size_t option, const char *value, void *user)
{
	struct run_options *chosen = user;

	switch ((enum option_id)option) {
	case OPTION_GROUP:
		return set_variable(command, "group", 5, value);
	case OPTION_THRESHOLD:
	case OPTION_SITE_BYTES:
		return set_size(command, option, value);
	case OPTION_ADVISE:
		return set_advise(command, value);
	case OPTION_ALLOW:
	case OPTION_DENY:
		chosen->lists[option - OPTION_ALLOW] = value;
		break;
	case OPTION_ZERO_REUSE:
		return set_variable(command, "zero_reuse", 10, "1");
	case OPTION_STATS_DIR:
		return set_folder(command, value);
	case OPTION_VERBOSE:
		return set_variable(command, "verbose", 7, "1");
	case OPTION_SET:
		return set_assignment(command, value);
	case OPTION_LIBRARY:
		chosen->library = value;
		break;
	case OPTION_LIST_OPTIONS:
		chosen->list_options = true;
		break;
	}
	return 0;
}

/* --- the library --------------------------------------------------------------- */

static char *find_library(const char *given)
{
	static const char *const places[] = {
		"libksmalloc.so",
		"../lib/libksmalloc.so",
		"../lib64/libksmalloc.so",
		KSMALLOC_LIBDIR "/libksmalloc.so",
	};
	char self[PATH_MAX];
	ssize_t length;
	char *slash;

	if (given)
		return realpath(given, NULL);
	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length <= 0)
		return NULL;
	self[length] = '\0';
	slash = strrchr(self, '/');
	for (size_t i = 0; i < KSM_COUNT_OF(places); i++) {
		char path[2 * PATH_MAX];
		char *found;

		if (places[i][0] == '/')
			snprintf(path, sizeof(path), "%s", places[i]);
		else
			snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - self), self,
				 places[i]);
		found = realpath(path, NULL);
		if (found)
			return found;
	}
	return NULL;
}

static int preload(const struct ksr_command *command, const char *given)
{
	const char *before = getenv("LD_PRELOAD");
	char *library = find_library(given);
	char *list = NULL;
	int status = 0;

	if (!library)
		return given ? ksr_usage_error(command,
					       "--library '%s': %s; give the path of "
					       "libksmalloc.so",
					       given, strerror(errno))
			     : ksr_failure(command, "libksmalloc.so was not found beside the "
						    "command; give --library PATH");
	/* The loader splits its list at these and knows no way to quote them. */
	if (strpbrk(library, ": "))
		status = ksr_usage_error(command,
					 "the path '%s' has a blank or a colon, which "
					 "LD_PRELOAD cannot hold; copy the library elsewhere",
					 library);
	else if (asprintf(&list, "%s%s%s", library, before && before[0] ? ":" : "",
			  before ? before : "") < 0 ||
		 setenv("LD_PRELOAD", list, 1))
		status = ksr_failure(command, "out of memory");
	free(library);
	free(list);
	return status;
}

/* --- the table of the library's options ------------------------------------------ */

static const struct ksr_column option_columns[] = {
	{"name", "NAME"}, {"type", "TYPE"}, {"default", "DEFAULT"}, {"least", "LEAST"},
	{"most", "MOST"}, {"unit", "UNIT"}, {"help", "MEANING"},
};

static size_t show_options(const struct ksr_text *text, struct ksr_emitter *emitter)
{
	size_t position = 0;
	size_t shown = 0;
	const char *line;
	size_t bytes;

	ksr_emitter_table_begin(emitter, "options", option_columns, KSM_COUNT_OF(option_columns));
	while (ksr_text_line(text, &position, &line, &bytes)) {
		struct ksr_cell cells[KSM_COUNT_OF(option_columns)] = {0};
		char *copy = strndup(line, bytes);
		char *rest = copy;
		size_t i = 0;

		for (char *field; i < KSM_COUNT_OF(cells) && (field = strsep(&rest, "\t")); i++)
			cells[i] = ksr_cell_text(field);
		if (i == KSM_COUNT_OF(cells)) {
			ksr_emitter_row(emitter, cells);
			shown++;
		}
		free(copy);
	}
	ksr_emitter_table_end(emitter);
	return shown;
}

/* The library prints its table from its constructor and ends the program: any program will do. */
static int list_options(const struct ksr_command *command)
{
	struct ksr_emitter *emitter = ksr_emitter_create(KSR_FORMAT_TEXT, stdout);
	struct ksr_text text = {0};
	size_t shown = 0;
	int ends[2];
	pid_t child;

	if (!emitter || pipe2(ends, O_CLOEXEC))
		return ksr_failure(command, "cannot make a pipe: %s", strerror(errno));
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		setenv("KSMALLOC_DUMP_OPTIONS", "1", 1);
		execl("/proc/self/exe", "ksmalloc", "version", (char *)NULL);
		_exit(EXIT_NOT_FOUND);
	}
	close(ends[1]);
	if (child > 0 && ksr_fs_read_fd(ends[0], KSM_MIB, &text) == 0)
		shown = show_options(&text, emitter);
	close(ends[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	ksr_text_free(&text);
	if (ksr_emitter_finish(emitter) || shown == 0)
		return ksr_failure(command, "the library printed no options; is it of this "
					    "release?");
	return KSR_EXIT_OK;
}

/* --- starting --------------------------------------------------------------------- */

static int set_filters(const struct ksr_command *command, const struct run_options *chosen,
		       const char *program)
{
	static const enum option_id ids[] = {OPTION_ALLOW, OPTION_DENY};
	char why[256] = "";

	for (size_t i = 0; i < KSM_COUNT_OF(ids); i++) {
		const char *name = options[ids[i]].name;
		char *list;
		int status;

		if (!chosen->lists[i])
			continue;
		list = ksr_run_filter(chosen->lists[i], program, why, sizeof(why));
		if (!list)
			return ksr_usage_error(command, "--%s %s", name, why);
		status = set_variable(command, name, strlen(name), list);
		free(list);
		if (status)
			return status;
	}
	return 0;
}

static int execute(const struct ksr_command *command, char **argv)
{
	execvp(argv[0], argv);
	if (errno == ENOENT || errno == ENOTDIR) {
		ksr_failure(command, "%s: command not found", argv[0]);
		return EXIT_NOT_FOUND;
	}
	ksr_failure(command, "%s: %s", argv[0], strerror(errno));
	return EXIT_CANNOT_EXECUTE;
}

static int run_main(const struct ksr_command *command, int argc, char **argv)
{
	struct run_options chosen = {0};
	int status = 0;
	int first = ksr_options_parse(command, argc, argv, set, &chosen, &status);

	if (first < 0)
		return status;
	if (first == argc && !chosen.list_options)
		return ksr_usage_error(command, "a program is missing; give it and its arguments "
						"after the options");
	if (!chosen.list_options)
		status = set_filters(command, &chosen, argv[first]);
	if (!status)
		status = preload(command, chosen.library);
	if (status)
		return status;
	return chosen.list_options ? list_options(command) : execute(command, argv + first);
}

const struct ksr_command ksr_command_run = {
	.name = "run",
	.arguments = "[--] PROGRAM [ARGUMENT...]",
	.summary = "Run a program with libksmalloc preloaded",
	.options = options,
	.option_count = KSM_COUNT_OF(options),
	.stop_at_argument = true,
	.main = run_main,
};
