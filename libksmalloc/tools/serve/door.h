/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * door: how connections come to a daemon of libmicrohttpd, and go.
 *
 * What it is: accepts them at a listener, in the same thread that serves, with the rule of clients.h for who has to go. Its
 * functions for the daemon's options are what keeps both in step.
 * What it is not: an answer to anything, or the set-up of the daemon, which needs MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET,
 * KSR_CLIENTS_ROOM as the limit of connections, and both functions with the door as their argument.
 * Invariants: nobody waits for another client, and places are bounded.
 * Locking and owner: one thread; the listener stays the caller's, and a daemon that is not changed.
 * Failure: a connection that cannot be taken is closed.
 */
#ifndef KSR_SERVE_DOOR_H
#define KSR_SERVE_DOOR_H

#include <microhttpd.h>

#include "serve/clients.h"

#define KSR_DOOR_SWEEP_MS 1000

struct ksr_door {
	struct MHD_Daemon *daemon;
	struct MHD_Daemon *leaving; /* the one before, as long as it has connections that may end by themselves; or NULL */
	uint64_t leaves_ms;	    /* when it is stopped, whatever it has */
	int listener;
	struct ksr_clients clients;
};

void ksr_door_init(struct ksr_door *door, int listener);
/* For MHD_OPTION_NOTIFY_CONNECTION and MHD_OPTION_NOTIFY_COMPLETED. */
void ksr_door_connection(void *door, struct MHD_Connection *connection, void **context,
			 enum MHD_ConnectionNotificationCode what);
void ksr_door_completed(void *door, struct MHD_Connection *connection, void **request,
			enum MHD_RequestTerminationCode how);
/* Has epoll tell when there is something to read; 0 or -errno. */
int ksr_door_watch(int epoll, int fd);
/* Gives those who come from now on to another daemon. The one before is stopped when all its connections have ended, or too slow ones had to. */
void ksr_door_change(struct ksr_door *door, struct MHD_Daemon *daemon);
/* Stops both, and ends all. */
void ksr_door_close(struct ksr_door *door);
/* When somebody waits at the listener. */
void ksr_door_accept(struct ksr_door *door);
/* Milliseconds until the daemon has to have a turn. */
int ksr_door_wait_ms(const struct ksr_door *door);
/* Ends who is too slow, and gives the daemon its turn. */
void ksr_door_turn(struct ksr_door *door);
/* The descriptor of a connection, by which clients.h knows it; -1: none any more. */
int ksr_door_fd(struct MHD_Connection *connection);
/* The descriptor that is ready when the daemon has something to do; -1: the library cannot say. */
int ksr_door_daemon_fd(const struct ksr_door *door);

#endif
