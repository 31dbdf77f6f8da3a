/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clients: who is connected, and who has to go.
 *
 * What it is: a table of connections, and the rule that keeps it from being full: who comes last is served. A
 * connection too many ends the oldest one of the same address, or of the address that has most; and one on which
 * nothing was finished for KSR_CLIENTS_SECONDS ends, whatever trickles in.
 * What it is not: HTTP. A connection is ended by shutting its socket down, which who reads from it notices; until it
 * has closed the socket the place is taken.
 * Invariants: at most KSR_CLIENTS_MOST connections that were not ended, at most KSR_CLIENTS_EACH of an address. All
 * of a socket in the file system have one address.
 * Locking and owner: one thread; descriptors belong to who serves them.
 * Failure: none.
 */
#ifndef KSR_SERVE_CLIENTS_H
#define KSR_SERVE_CLIENTS_H

#include <sys/socket.h>

#include "base.h"

#define KSR_CLIENTS_MOST 256
#define KSR_CLIENTS_EACH 64
/* With those that were ended and not closed yet. */
#define KSR_CLIENTS_ROOM (2 * KSR_CLIENTS_MOST)
#define KSR_CLIENTS_SECONDS 30

struct ksr_client {
	int fd; /* -1: a free place */
	bool ended;
	unsigned char address[16];
	uint64_t since_ms; /* when it came, or when its last request was finished */
};

struct ksr_clients {
	struct ksr_client places[KSR_CLIENTS_ROOM];
	uint64_t open; /* not ended */
	uint64_t taken;
	uint64_t ended_total;
};

void ksr_clients_init(struct ksr_clients *clients);
/* NULL where there is no place even so: then the connection is to be closed. */
struct ksr_client *ksr_clients_add(struct ksr_clients *clients, int fd, const struct sockaddr *address,
				   uint64_t now_ms);
void ksr_clients_remove(struct ksr_clients *clients, int fd);
/* It has finished a request. */
void ksr_clients_touch(struct ksr_clients *clients, int fd, uint64_t now_ms);
/* Ends those that are too slow. */
void ksr_clients_sweep(struct ksr_clients *clients, uint64_t now_ms);

#endif
