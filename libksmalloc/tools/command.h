/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command: what a sub-command is, and its options.
 *
 * What it is: one table of options for each sub-command,
 * from which parsing and --help come; a test compares the man pages with it.
 *
 * What it is not: a place for what a sub-command does.
 *
 * Invariants: every sub-command knows --help and --version, also as -h and -V;
 * options come before or between arguments unless the sub-command stops at the
 * first one (run).
 *
 * Locking and owner: one thread; values point into argv.
 *
 * Failure: a mistake of the caller's gives one line on the error output, with
 * what to do, and the exit code KSR_EXIT_USAGE.
 */
#ifndef KSR_COMMAND_H
#define KSR_COMMAND_H

#include "show/emitter.h"
#include "read/fs.h"

#define KSR_EXIT_OK 0
#define KSR_EXIT_FINDINGS 1 /* doctor found something; report and estimate found nothing to show */
#define KSR_EXIT_USAGE 2
#define KSR_EXIT_FAILED 3 /* the command could not do its work */

/* Where the value of an option goes. */
enum ksr_option_kind {
	KSR_OPTION_OWN,	   /* to the sub-command's set() */
	KSR_OPTION_SWITCH, /* bool: true */
	KSR_OPTION_FORM,   /* struct ksr_output: the form that most says */
	KSR_OPTION_TABLE,  /* the same: one of the sub-command's tables */
	KSR_OPTION_TEXT,   /* const char * */
	KSR_OPTION_NUMBER, /* uint64_t, from 1 to most */
};

struct ksr_option {
	const char *name;     /* without dashes */
	const char *argument; /* NULL: a switch; "[=VALUE]": may be left out */
	const char *help;
	enum ksr_option_kind kind;
	size_t offset; /* of the member in the sub-command's options, unless it is OWN */
	uint64_t most; /* of a NUMBER, 0: any; of a FORM its enum ksr_format */
};

/* Of commands that write tables: what says what the figures are, at is the struct ksr_output. */
#define KSR_OUTPUT_OPTIONS(what, at)                                                               \
	{"json", NULL, "Write JSON; " what ".", KSR_OPTION_FORM, at, KSR_FORMAT_JSON},             \
		{"csv", NULL, "Write one table as CSV; " what ".", KSR_OPTION_FORM, at, KSR_FORMAT_CSV}, \
		{"table", "NAME", "Choose the table of --csv.", KSR_OPTION_TABLE, at, 0},          \
		KSR_WIDTH_OPTION(at)
#define KSR_WIDTH_OPTION(at)                                                                       \
	{                                                                                          \
		"width", "N", "Fit text into N columns, not those of the terminal.",               \
			KSR_OPTION_NUMBER, (at) + offsetof(struct ksr_output, width), 10000        \
	}

struct ksr_command {
	const char *name;
	const char *arguments; /* for the line of usage */
	const char *summary;
	const struct ksr_option *options;
	size_t option_count;
	const char *const *tables; /* that --table can choose; the first is what --csv writes */
	size_t table_count;
	const char *(*values)(const struct ksr_option *option); /* "a, b or c" where a table elsewhere has them; may be NULL */
	bool is_elsewhere; /* main executes another program, which has its options */
	bool stop_at_argument; /* what follows the first argument belongs to another program */
	int (*main)(const struct ksr_command *command, int argc, char **argv);
};

/*
 * Puts the value of each option into its member of *user; for OWN ones calls set (index in the
 * table, value or NULL), which is NULL if there are none. Returns the index of the first argument
 * in argv, which is permuted so that options come first; or -1 when the program must end with
 * *status.
 */
int ksr_options_parse(const struct ksr_command *command, int argc, char **argv,
		      int (*set)(const struct ksr_command *command, size_t option,
				 const char *value, void *user),
		      void *user, int *status);

/* On the output; returns the exit code. */
int ksr_command_help(const struct ksr_command *command);
/*
 * What every command ends with that has written all: the exit code, and a line where that failed.
 * error is what ksr_emitter_finish() returned, or 0. The command may be NULL.
 */
int ksr_output_end(const struct ksr_command *command, int error);
/* What `ksmalloc version` shows, and --version of each command; returns the exit code. */
int ksr_version_show(const struct ksr_command *command, const struct ksr_output *output);
/* Prints "ksmalloc NAME: ..." and returns KSR_EXIT_USAGE. */
int ksr_usage_error(const struct ksr_command *command, const char *format, ...) KSM_PRINTF(2, 3);
/* The same for what is no mistake of the caller's: returns KSR_EXIT_FAILED. */
int ksr_failure(const struct ksr_command *command, const char *format, ...) KSM_PRINTF(2, 3);

/*
 * The candidate that a mistyped text was probably meant to be: the only one that begins with it, or
 * the one of the smallest edit distance, if that is small. NULL when there is none.
 */
const char *ksr_nearest(const char *text, const char *const *candidates, size_t count);

/*
 * 0, or a usage error when this cannot name a group: one rule for all commands and both layouts,
 * that of ksr_seed_group_is_good().
 */
int ksr_group_check(const struct ksr_command *command, const char *name);

/* A whole number from 1 on; false when the text is anything else. */
bool ksr_parse_number(const char *text, uint64_t *number);
/* Process ids are digits only. */
bool ksr_parse_pid(const char *text, pid_t *pid);

#endif
