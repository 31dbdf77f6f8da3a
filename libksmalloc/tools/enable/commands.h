/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commands: the commands of a unit, each started by `ksmalloc run`.
 *
 * What it is: a reader of ExecStart= in the files of a unit, and a writer of the same commands as arguments of ours.
 * What it is not: a reader of other settings, or of lines (unit_text.h).
 * Invariants: what files of ours say is left out, so that it may be called again on what it has brought about.
 * Locking and owner: one thread; the text is the caller's to free.
 * Failure: NULL, with a sentence in why; no command of a unit is left away silently.
 */
#ifndef KSR_ENABLE_COMMANDS_H
#define KSR_ENABLE_COMMANDS_H

#include "read/fs.h"

struct ksr_enable_run {
	const char *command; /* path of ksmalloc */
	const char *group;
	const char *profile;
};

/* files: all files of the unit, each behind a line "# PATH". The text of a drop-in. */
char *ksr_enable_commands(const struct ksr_text *files, const struct ksr_enable_run *run, char *why, size_t bytes);

#endif
