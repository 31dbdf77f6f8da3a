/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * webhook: `ksmalloc webhook` as a program of its own.
 *
 * What it is: the names that the command and the program have in common, and the program's command.
 * What it is not: what it does.
 * Locking and owner: constants.
 * Failure: see command.h.
 */
#ifndef KSR_WEBHOOK_WEBHOOK_H
#define KSR_WEBHOOK_WEBHOOK_H

#include "command.h"

#define KSR_WEBHOOK_NAME "webhook"
#define KSR_WEBHOOK_SUMMARY "Put the library into pods that a cluster makes, by their annotation"
#define KSR_WEBHOOK_PROGRAM "ksmalloc-webhook"

extern const struct ksr_command ksr_webhook_command;

#endif
