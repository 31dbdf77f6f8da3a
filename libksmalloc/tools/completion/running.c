/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "completion/running.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "names/human.h"
#include "read/head.h"
#include "seed_file.h"

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* NULL if it is not to be listed, or without memory. */
static char *describe(const struct ksr_fs *fs, pid_t pid, bool group)
{
	struct ksmalloc_segment_header header;
	struct ksr_head_place place;
	struct ksr_text comm;
	char *line = NULL;

	if (ksr_head_find(fs, pid, &place) || ksr_head_read(fs, pid, &place, &header))
		return NULL;
	if (group) {
		header.group[sizeof(header.group) - 1] = '\0';
		/* A process writes into its segment what it likes, and this becomes part of somebody's command line. */
		line = ksr_seed_group_is_good(header.group) ? strdup(header.group) : NULL;
	} else if (ksr_fs_read(fs, &comm, "proc/%d/comm", (int)pid) == 0) {
		if (asprintf(&line, "%d\t%.*s", (int)pid, (int)strcspn(comm.data, "\n"), comm.data) < 0)
			line = NULL;
		for (char *at = line ? strchr(line, '\t') + 1 : NULL; at && *at; at++) {
			if (iscntrl((unsigned char)*at))
				*at = '?';
		}
		ksr_text_free(&comm);
	}
	return line;
}

static size_t leave_once(char **lines, size_t count)
{
	size_t kept = 0;

	qsort(lines, count, sizeof(*lines), by_name);
	for (size_t i = 0; i < count; i++) {
		if (kept > 0 && strcmp(lines[kept - 1], lines[i]) == 0)
			free(lines[i]);
		else
			lines[kept++] = lines[i];
	}
	return kept;
}

int ksr_running_list(const struct ksr_fs *fs, bool groups, char ***lines, size_t *count)
{
	pid_t *pids;
	size_t processes;
	int error = ksr_fs_list_processes(fs, &pids, &processes);

	if (error)
		return error;
	*count = 0;
	*lines = calloc(processes + 1, sizeof(**lines));
	for (size_t i = 0; *lines && i < processes; i++) {
		char *line = describe(fs, pids[i], groups);

		if (line)
			(*lines)[(*count)++] = line;
	}
	free(pids);
	if (!*lines)
		return -ENOMEM;
	if (groups)
		*count = leave_once(*lines, *count);
	return 0;
}
