/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * selected: the processes and groups that a command line names.
 *
 * What it is: words of the command line as a selection: digits are processes, everything else names groups.
 * What it is not: a reader of processes (join/collect.h).
 * Locking and owner: one thread; names stay the command line's, which must outlive it.
 * Failure: -ENOMEM when it is made; else one line on the error output, and the exit code.
 */
#ifndef KSR_SELECTED_H
#define KSR_SELECTED_H

#include "command.h"
#include "join/collect.h"

struct ksr_selected {
	struct ksr_selection selection;
	/* What the selection points to, with room for all words of the command line. */
	pid_t *pids;
	const char **groups;
};

/* 0 or -ENOMEM; to be destroyed in both cases. */
int ksr_selected_create(struct ksr_selected *selected, int words);
void ksr_selected_destroy(struct ksr_selected *selected);

/* For --group, of which a name may be a number. 0, or the exit code. */
int ksr_selected_add_group(const struct ksr_command *command, struct ksr_selected *selected, const char *name);
/* true if the word is a process, which is then selected; once, however often it is named. */
bool ksr_selected_add_process(struct ksr_selected *selected, const char *word);
/* A process or a group. 0, or the exit code. */
int ksr_selected_add(const struct ksr_command *command, struct ksr_selected *selected, const char *word);
int ksr_selected_add_all(const struct ksr_command *command, struct ksr_selected *selected, char **words, size_t count);

#endif
