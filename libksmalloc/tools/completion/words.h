/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * words: what may stand at a place of the command line.
 *
 * What it is: the tables of options, read as a shell needs them: which kind of word is the value of an
 * option, and which are the arguments of a command. All shells have it from here.
 * What it is not: the form in which a shell wants to be told.
 * Locking and owner: pure; what is returned lives as long as the tables, or as the text it was written into.
 * Failure: what is not known is KSR_WORDS_ANY, for which nothing is offered.
 */
#ifndef KSR_COMPLETION_WORDS_H
#define KSR_COMPLETION_WORDS_H

#include "command.h"

enum ksr_words {
	KSR_WORDS_NONE,	 /* no value */
	KSR_WORDS_ANY,	 /* a value, of which nothing is known */
	KSR_WORDS_FIXED, /* one of a few */
	KSR_WORDS_GROUP,
	KSR_WORDS_PROCESS,
	KSR_WORDS_BOTH, /* a group or a process */
	KSR_WORDS_UNIT,
	KSR_WORDS_FILE,
	KSR_WORDS_FOLDER,
	KSR_WORDS_PROGRAM, /* and then its own arguments */
};

/* The fixed words are joined by one blank each. */
#define KSR_WORDS_BYTES 512

/* The value of an option; of fixed ones the words. */
enum ksr_words ksr_words_of_option(const struct ksr_command *command, const struct ksr_option *option,
				   char fixed[KSR_WORDS_BYTES]);
/* May the value be left out? It stands behind a '=' then. */
bool ksr_words_are_optional(const struct ksr_option *option);
/* The arguments of a command. */
enum ksr_words ksr_words_of_arguments(const struct ksr_command *command, char fixed[KSR_WORDS_BYTES]);

#endif
