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

extern const struct ksr_command ksr_command_compare;
extern const struct ksr_command ksr_command_completion;
extern const struct ksr_command ksr_command_diff;
extern const struct ksr_command ksr_command_disable;
extern const struct ksr_command ksr_command_doctor;
extern const struct ksr_command ksr_command_enable;
extern const struct ksr_command ksr_command_estimate;
extern const struct ksr_command ksr_command_exporter;
extern const struct ksr_command ksr_command_inject;
extern const struct ksr_command ksr_command_keep;
extern const struct ksr_command ksr_command_report;
extern const struct ksr_command ksr_command_run;
extern const struct ksr_command ksr_command_share;
extern const struct ksr_command ksr_command_sidecar;
extern const struct ksr_command ksr_command_top;
extern const struct ksr_command ksr_command_tune;
extern const struct ksr_command ksr_command_version;
extern const struct ksr_command ksr_command_webhook;
extern const struct ksr_command ksr_command_why;

/* All of them, in the order in which help lists them; for what writes of all. Ends with NULL. */
extern const struct ksr_command *const ksr_commands[];

#endif
