/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * without: the program as it would be without the library, where that was refused.
 *
 * What it is: the environment of the start, and an execution with it.
 * What it is not: a judgement of what was refused; that was said.
 * Invariants: nothing that was set meanwhile is in the program's environment.
 * Locking and owner: one thread; the caller frees the copy.
 * Failure: an exit code.
 */
#ifndef KSR_RUN_WITHOUT_H
#define KSR_RUN_WITHOUT_H

#include "command.h"

#define KSR_EXIT_CANNOT_EXECUTE 126
#define KSR_EXIT_NOT_FOUND	127

/* The variables that there are now; setenv(3) leaves their texts alone. NULL without memory. */
char **ksr_without_remember(void);
/* first: where the program stands in argv; below 0: behind "--", since a mistake in an option is before that. */
int ksr_without_run(const struct ksr_command *command, char **argv, int first, char **before, const char *name);

#endif
