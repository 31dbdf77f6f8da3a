/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options: what can be asked of the webhook.
 *
 * What it is: its table of options, in a file of its own, since the command has it, too, which only executes the
 * webhook's program.
 * What it is not: what is done with them.
 * Locking and owner: constants.
 * Failure: none.
 */
#ifndef KSR_WEBHOOK_OPTIONS_H
#define KSR_WEBHOOK_OPTIONS_H

#include "command.h"

#define KSR_WEBHOOK_LISTEN "127.0.0.1:8443"

struct ksr_webhook_choice {
	const char *listen;
	const char *certificate;
	const char *key;
	const char *init_image;
	const char *sidecar_image;
	const char *seccomp;
	const char *from;
	const char *token_secret;
};

#define KSR_WEBHOOK_OPTIONS 8
extern const struct ksr_option ksr_webhook_options[KSR_WEBHOOK_OPTIONS];

#endif
