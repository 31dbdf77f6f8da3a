/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prepare: what several commands are told of names by their options.
 *
 * What it is: --machinery and --sysroot, for commands that name functions.
 * What it is not: naming.
 * Locking and owner: one thread; the symbolizer is the caller's.
 * Failure: one line on the error output, and the exit code.
 */
#ifndef KSR_PREPARE_H
#define KSR_PREPARE_H

#include "command.h"
#include "names/symbols.h"

/* Either may be NULL. 0, or the exit code. */
int ksr_symbols_prepare(const struct ksr_command *command, struct ksr_symbols *symbols, const char *machinery,
			const char *sysroot);

#endif
