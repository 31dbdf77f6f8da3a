/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prepare: what several commands are told of names by their options.
 *
 * What it is: --machinery, --sysroot and --no-symbols, for commands that name functions.
 * What it is not: naming.
 * Locking and owner: one thread; the symbolizer is the caller's.
 * Failure: one line on the error output, and the exit code.
 */
#ifndef KSR_PREPARE_H
#define KSR_PREPARE_H

#include "command.h"
#include "names/symbols.h"

/* What the options say. */
struct ksr_name_options {
	const char *machinery; /* a file; may be NULL */
	const char *sysroot;   /* a folder; may be NULL */
	bool no_symbols;
};

/* Rows of a table of options; at is where the struct lies in the command's own. */
#define KSR_NAME_OPTIONS(at)                                                                                          \
	{"machinery", "FILE", "Read more names of functions and folders that name nothing.", KSR_OPTION_TEXT,         \
	 (at) + offsetof(struct ksr_name_options, machinery), 0},                                                     \
		{"sysroot", "DIR", "Look for programs and their debug information below DIR.", KSR_OPTION_TEXT,       \
		 (at) + offsetof(struct ksr_name_options, sysroot), 0},                                               \
		{"no-symbols", NULL, "Open no program files; show module+0xoffset.", KSR_OPTION_SWITCH,               \
		 (at) + offsetof(struct ksr_name_options, no_symbols), 0}

/*
 * What the options come to, before any process is read; 0 or the exit code. The naming points into the options, and to
 * the text, which the caller frees.
 */
int ksr_naming_prepare(const struct ksr_command *command, const struct ksr_name_options *options, struct ksr_text *text,
		       struct ksr_naming *naming);

/* Either may be NULL. 0, or the exit code. */
int ksr_symbols_prepare(const struct ksr_command *command, struct ksr_symbols *symbols, const char *machinery,
			const char *sysroot);

#endif
