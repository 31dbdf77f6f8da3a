/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * profile: what an interpreter must be told so that equal work makes equal heaps.
 *
 * What it is: one table of interpreters: the variables and arguments that take
 * hash seeds from the group's secret and races out of its memory, and what each
 * costs.
 * What it is not: tuning. Nothing is set that does not make heaps more equal,
 * and nothing that the user has set is replaced.
 * Invariants: values follow from the seed and the place in the table: equal in
 * the group, different between groups, never a constant.
 * Locking and owner: one thread; it changes the environment and the words of
 * the program.
 * Failure: KSR_EXIT_USAGE or KSR_EXIT_FAILED after a message.
 */
#ifndef KSR_RUN_PROFILE_H
#define KSR_RUN_PROFILE_H

#include "command.h"
#include "ksmalloc/seed.h"
#include "run/program.h"

struct ksr_profile;

/* "auto" is the profile of the program itself, if there is one. NULL: no such name. */
const struct ksr_profile *ksr_profile_lookup(const char *name);


/*
 * Sets what the profile has. library is the path of libksmalloc.so, beside which helpers lie.
 * With quiet nothing is said of it.
 */
int ksr_profile_apply(const struct ksr_command *command, const struct ksr_profile *profile,
		      const struct ksmalloc_seed *seed, struct ksr_program *program,
		      const char *library, bool quiet);

#endif
