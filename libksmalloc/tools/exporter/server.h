/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server: the process that clients talk to.
 *
 * What it is: one thread that waits for connections, requests, documents and orders, and lets libmicrohttpd speak
 * HTTP. It becomes another user if it is root, and gives up all capabilities, before it looks at the first byte of a client.
 * What it is not: a reader: it has nothing but the documents that it was handed.
 * Invariants: whatever clients do, memory is bounded: KSR_CLIENTS_MOST connections (clients.h) of KSR_SERVER_MEMORY
 * bytes each, a header that is longer is refused. Nobody waits for another client.
 * Locking and owner: one thread; descriptors stay the caller's.
 * Failure: a sentence on the error output, and an exit code.
 */
#ifndef KSR_EXPORTER_SERVER_H
#define KSR_EXPORTER_SERVER_H

#include "command.h"
#include "exporter/answer.h"
#include "serve/rights.h"

#define KSR_SERVER_MEMORY 16384

struct ksr_server_options {
	struct ksr_answers *answers;
	const struct ksr_person *person; /* whom it becomes; NULL: nobody else */
	bool must_become;		 /* it ends where that is not possible; else it says so and goes on */
	int listener;
	int documents; /* where they come from */
	int orders;    /* a new token, and the end */
};

/* Serves until the other end of orders is closed. Returns the exit code. */
int ksr_server_run(const struct ksr_command *command, const struct ksr_server_options *options);

#endif
