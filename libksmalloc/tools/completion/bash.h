/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bash: the completion for bash.
 *
 * What it is: writes a script for bash from the commands' tables.
 * What it is not: a source of words (words.h); what runs now the script asks `ksmalloc completion --running`.
 * Locking and owner: one thread; it writes to the standard output.
 * Failure: none of its own; who ends the output looks whether all was written.
 */
#ifndef KSR_COMPLETION_BASH_H
#define KSR_COMPLETION_BASH_H

#include "command.h"

/* The commands end with NULL. */
void ksr_completion_bash(const struct ksr_command *const *commands);

#endif
