/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "run/list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
			cells[i] = i + 1 < KSM_COUNT_OF(cells) ? ksr_cell_text(field)
							       : ksr_cell_sentence(field);
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
int ksr_list_library_options(const struct ksr_command *command)
{
	struct ksr_emitter *emitter = ksr_emitter_create(&(struct ksr_output){0}, stdout);
	struct ksr_text text = {0};
	size_t shown = 0;
	int error;
	int ends[2];
	pid_t child;

	if (!emitter || pipe2(ends, O_CLOEXEC))
		return ksr_failure(command, "cannot make a pipe: %s", strerror(errno));
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		setenv("KSMALLOC_DUMP_OPTIONS", "1", 1);
		execl("/proc/self/exe", "ksmalloc", "version", (char *)NULL);
		_exit(EXIT_FAILURE);
	}
	close(ends[1]);
	if (child > 0 && ksr_fs_read_fd(ends[0], KSM_MIB, &text) == 0)
		shown = show_options(&text, emitter);
	close(ends[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	ksr_text_free(&text);
	error = ksr_emitter_finish(emitter);
	if (shown == 0)
		return ksr_failure(command, "the library printed no options; is it of this "
					    "release?");
	return ksr_output_end(command, error);
}
