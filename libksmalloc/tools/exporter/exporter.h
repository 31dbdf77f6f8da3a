/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exporter: the command, in a program of its own.
 *
 * What it is: `ksmalloc-exporter`, which `ksmalloc exporter` executes: so that what speaks HTTP, and all that this
 * loads, is in no other command.
 * What it is not: a second command: names, options and help are the same.
 * Locking and owner: a constant.
 * Failure: exit codes of commands (command.h).
 */
#ifndef KSR_EXPORTER_EXPORTER_H
#define KSR_EXPORTER_EXPORTER_H

#include "command.h"

#define KSR_EXPORTER_NAME "exporter"
#define KSR_EXPORTER_PROGRAM "ksmalloc-exporter"
#define KSR_EXPORTER_SUMMARY "Serve metrics for Prometheus, and a page with charts"

extern const struct ksr_command ksr_exporter_command;

#endif
