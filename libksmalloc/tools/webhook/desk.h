/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * desk: the server of the webhook.
 *
 * What it is: one thread that waits for connections, requests and signals, and lets libmicrohttpd speak HTTP in TLS (1.2 or 1.3). It
 * gives up all capabilities first. When the certificate's files are others it takes them, between two requests.
 * What it is not: what is answered (requests.h).
 * Invariants: memory is bounded, whatever clients do: connections by clients.h, bodies by bodies.h. A certificate that cannot be
 * used leaves the one before.
 * Locking and owner: one thread; the listener stays the caller's.
 * Failure: a sentence on the error output, and an exit code.
 */
#ifndef KSR_WEBHOOK_DESK_H
#define KSR_WEBHOOK_DESK_H

#include "command.h"
#include "webhook/requests.h"

struct ksr_desk_options {
	const struct ksr_inject_wish *defaults;
	const char *certificate;
	const char *key;
	int listener;
};

/* Serves until SIGTERM or SIGINT; returns the exit code. */
int ksr_desk_run(const struct ksr_command *command, const struct ksr_desk_options *options);

#endif
