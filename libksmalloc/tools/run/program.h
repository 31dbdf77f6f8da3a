/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program: which file a command line will execute in the end, and whether the
 * library can be loaded into it.
 *
 * What it is: the search in PATH, the way of a script to its interpreter (also
 * through env(1)), and what the ELF file says about itself.
 * What it is not: a promise. The file may be replaced before it is executed, a
 * shell script may execute anything; the library looks again from the inside.
 * Invariants: words is a command line that does by itself what the kernel and env
 * would do with the given one; the given one stays as it is.
 * Locking and owner: one thread; ksr_program_free() frees what was found.
 * Failure: what cannot be found or read is for exec to complain about; nothing
 * is unfit then.
 */
#ifndef KSR_RUN_PROGRAM_H
#define KSR_RUN_PROGRAM_H

#include <limits.h>

#include "base.h"

struct ksr_program {
	char path[PATH_MAX];   /* of the program in the end; empty: not found */
	char loader[PATH_MAX]; /* that it names; empty: none */
	bool movable;	       /* position independent, so that a loader chooses its place */
	const char *name;      /* what it is to be called by (argv[0]); NULL: by its first word */
	char **words;	       /* the command line without scripts in between, NULL at its end */
	size_t word_count;
	bool changed;	    /* a caller put something between the words: they are to be executed */
	bool level_stack;   /* its stack is to begin where those of others of its kind do */
	char **assignments; /* NAME=VALUE that env would set, NULL at its end */
	size_t assignment_count;
	bool through_env; /* an env with options that are not understood is in between */
	/* Why the library cannot be loaded into a file on the way, for a sentence
	 * that begins with "it"; or NULL. unfit_path is that file. */
	const char *unfit;
	bool raised_rights;  /* and that is why */
	bool ends_preloaded; /* its loader would try to, fail, and end it */
	char unfit_path[PATH_MAX];
	bool is_static; /* path has no loader that would load anything */
};

/* Returns 0, or -ENOMEM; to be freed in both cases. */
int ksr_program_look(struct ksr_program *program, char **argv);
void ksr_program_free(struct ksr_program *program);

/* Puts a word into words, at the index; -ENOMEM without memory. It is copied. */
int ksr_program_insert(struct ksr_program *program, size_t index, const char *word);

/*
 * Executes words, or argv as it was given when nothing was put between them. Returns what
 * errno says only when that failed.
 */
int ksr_program_execute(struct ksr_program *program, char **argv);

/* Has it called so, unless it is a script, whose interpreter is called by its own name; -ENOMEM without memory. name stays the caller's. */
int ksr_program_rename(struct ksr_program *program, char **argv, const char *name);

/* Like the shell: a name without a slash is searched in PATH. */
bool ksr_program_find(const char *name, char path[PATH_MAX]);

/* The loader that an ELF file of 64 bits names; false for a static one or no ELF file. */
bool ksr_program_loader(const char *path, char loader[PATH_MAX]);

#endif
