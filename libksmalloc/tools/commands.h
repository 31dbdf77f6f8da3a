/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commands: the sub-commands that there are.
 *
 * What it is: for main.c, which lists them, and for each of them, whose type is checked so.
 * What it is not: for a command to use another one: what several need is in libksmalloc/report, or beside command.h.
 * Locking and owner: constants.
 * Failure: none.
 */
#ifndef KSR_COMMANDS_H
#define KSR_COMMANDS_H

#include "command.h"

extern const struct ksr_command ksr_command_diff;
extern const struct ksr_command ksr_command_doctor;
extern const struct ksr_command ksr_command_estimate;
extern const struct ksr_command ksr_command_keep;
extern const struct ksr_command ksr_command_report;
extern const struct ksr_command ksr_command_run;
extern const struct ksr_command ksr_command_share;
extern const struct ksr_command ksr_command_version;

#endif
