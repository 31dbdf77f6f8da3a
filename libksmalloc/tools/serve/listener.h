/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listener: the socket that clients come to.
 *
 * What it is: "ADDRESS:PORT", "[ADDRESS]:PORT", "PORT" on this machine alone, or "unix:PATH", as a socket that listens.
 * What it is not: a resolver: addresses are numbers, or localhost.
 * Invariants: a socket in the file system belongs to its owner alone, unless a group or a mode was asked for; one that
 * nobody listens to any more is replaced, anything else of that name is left alone.
 * Locking and owner: the descriptor is the caller's.
 * Failure: -errno, with a sentence in why; -EINVAL where the text is no address.
 */
#ifndef KSR_SERVE_LISTENER_H
#define KSR_SERVE_LISTENER_H

#include <sys/types.h>

#include "base.h"

#define KSR_LISTENER_DEFAULT "127.0.0.1:9838"
#define KSR_LISTENER_WHY_BYTES 160

/* Who may connect to a socket in the file system. */
struct ksr_socket_access {
	bool has_group;
	gid_t group;
	mode_t mode; /* 0: 0600, and 0660 with a group */
};

bool ksr_listener_is_path(const char *text);
int ksr_listener_open(const char *text, const struct ksr_socket_access *access, char why[KSR_LISTENER_WHY_BYTES]);
/* What it listens on, for people: as a URL, or the path. A port that was 0 is the one that the kernel chose. */
void ksr_listener_name(int fd, char *name, size_t bytes);

#endif
