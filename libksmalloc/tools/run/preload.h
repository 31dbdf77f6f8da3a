/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * preload: which libraries the program is made to load.
 *
 * What it is: entries of LD_PRELOAD, put before those of the user.
 * What it is not: the search for the library itself; run does that.
 * Locking and owner: one thread; it changes the environment, right before exec.
 * Failure: one line on the standard error; 0, or the exit code of the command.
 */
#ifndef KSR_RUN_PRELOAD_H
#define KSR_RUN_PRELOAD_H

#include "command.h"

/* Lets the program load the library at this path. */
int ksr_preload(const struct ksr_command *command, const char *path);

/*
 * The same for a helper called name that lies in the folder ksmalloc beside the library, or beside it. Where it is missing one line says that
 * what it belongs to ("the profile works") does without it, and note is set if it is not NULL.
 */
int ksr_preload_helper(const struct ksr_command *command, const char *library, const char *name,
		       const char *without, const char **note);

#endif
