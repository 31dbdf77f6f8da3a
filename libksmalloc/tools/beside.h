/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * beside: programs of the command's own folder.
 *
 * What it is: how a sub-command that is a program of its own is executed, since that loads what no other one needs.
 * What it is not: a search: the program lies beside this one, or it is not there.
 * Locking and owner: none.
 * Failure: it returns at all: an exit code, and it was said why.
 */
#ifndef KSR_BESIDE_H
#define KSR_BESIDE_H

#include "command.h"

int ksr_beside_execute(const struct ksr_command *command, const char *program, char **argv);

#endif
