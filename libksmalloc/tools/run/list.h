/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list: the table of the library's options.
 *
 * What it is: for `ksmalloc run --list-options`: the library prints its own table, so that what is shown is what that
 * library knows. LD_PRELOAD names it already.
 * What it is not: the command's own options, which its help shows.
 * Locking and owner: one thread.
 * Failure: said; the result is the exit status of the command.
 */
#ifndef KSR_RUN_LIST_H
#define KSR_RUN_LIST_H

#include "command.h"

int ksr_list_library_options(const struct ksr_command *command);

#endif
