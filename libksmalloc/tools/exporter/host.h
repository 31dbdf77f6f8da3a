/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * host: by which names clients may call the exporter.
 *
 * What it is: the rule for a request's header Host. A page of somebody else's whose name is made to lead to this machine
 * (DNS rebinding) reaches a listener on the loopback address, but its browser sends that page's name. So numbers are
 * answered, which no page can make its name, localhost, this machine's own name, and names that were given.
 * What it is not: authentication (token.h): who is no browser sends what it likes.
 * Invariants: what is no name, or has more behind it than a port, is refused.
 * Locking and owner: names stay the caller's.
 * Failure: -EINVAL for what cannot be a name, -ENOSPC for one too many.
 */
#ifndef KSR_EXPORTER_HOST_H
#define KSR_EXPORTER_HOST_H

#include "base.h"

#define KSR_HOSTS_MOST 16
#define KSR_HOST_BYTES 256

struct ksr_hosts {
	bool any; /* of a socket in the file system, which no browser reaches */
	size_t count;
	const char *names[KSR_HOSTS_MOST];
	char own[KSR_HOST_BYTES]; /* of this machine; empty where it has none */
};

int ksr_hosts_add(struct ksr_hosts *hosts, const char *name);
/* May a client call it so? NULL: it has not said how, as those of HTTP/1.0 and no browser. */
bool ksr_hosts_allow(const struct ksr_hosts *hosts, const char *host);

#endif
