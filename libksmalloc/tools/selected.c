/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "selected.h"

#include <errno.h>
#include <stdlib.h>

int ksr_selected_create(struct ksr_selected *selected, int words)
{
	*selected = (struct ksr_selected){0};
	selected->pids = calloc((size_t)words + 1, sizeof(*selected->pids));
	selected->groups = calloc((size_t)words + 1, sizeof(*selected->groups));
	selected->selection.pids = selected->pids;
	selected->selection.groups = selected->groups;
	return selected->pids && selected->groups ? 0 : -ENOMEM;
}

void ksr_selected_destroy(struct ksr_selected *selected)
{
	free(selected->pids);
	free(selected->groups);
}

int ksr_selected_add_group(const struct ksr_command *command, struct ksr_selected *selected, const char *name)
{
	selected->groups[selected->selection.group_count++] = name;
	return ksr_group_check(command, name);
}

bool ksr_selected_add_process(struct ksr_selected *selected, const char *word)
{
	struct ksr_selection *selection = &selected->selection;
	pid_t pid;

	if (!ksr_parse_pid(word, &pid))
		return false;
	for (size_t i = 0; i < selection->pid_count; i++) {
		if (selected->pids[i] == pid)
			return true;
	}
	selected->pids[selection->pid_count++] = pid;
	return true;
}

int ksr_selected_add(const struct ksr_command *command, struct ksr_selected *selected, const char *word)
{
	return ksr_selected_add_process(selected, word) ? 0 : ksr_selected_add_group(command, selected, word);
}

int ksr_selected_add_all(const struct ksr_command *command, struct ksr_selected *selected, char **words, size_t count)
{
	int status = 0;

	for (size_t i = 0; i < count && !status; i++)
		status = ksr_selected_add(command, selected, words[i]);
	return status;
}
