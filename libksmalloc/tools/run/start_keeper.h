/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * start_keeper: sees to it that a group has a keeper (keeper/keeper.h).
 *
 * What it is: asks for one, and where there is none starts `ksmalloc keep` as a process of its own, which has nothing of
 * the caller's: no descriptors, no session, none of the library's variables. It is nobody's child but the init process's, or that
 * of whoever takes its place.
 *
 * What it is not: a promise. Without a keeper the group's workers share by themselves where they can.
 *
 * Locking and owner: one thread.
 *
 * Failure: a line says so, and the program runs.
 */
#ifndef KSR_RUN_START_KEEPER_H
#define KSR_RUN_START_KEEPER_H

#include "command.h"
#include "seed_file.h"

/* request: as the seed was asked for; a file that the user named is named to the keeper, too. */
void ksr_start_keeper(const struct ksr_command *command, const struct ksr_seed_request *request,
		      const struct ksr_seed_file *seed);

#endif
