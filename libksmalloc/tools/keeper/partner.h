/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * partner: does a process that is no thread of it have the same memory?
 *
 * What it is: clone(2) with CLONE_VM alone makes such processes, and so does vfork(2). A stop does not find them. All
 * processes are asked before the stop, and in it those that were begun since, which their numbers tell.
 *
 * How it is told: by kcmp(2). Sandboxes forbid that, as the default filters of containers do: then a word of the room is written in
 * the one process, and read in the other.
 *
 * What it is not: a look into the keeper's outer namespaces of pids.
 *
 * Locking and owner: one thread.
 *
 * Failure: -EUSERS if there is one; -EAGAIN where too many processes were begun since, or -errno.
 */
#ifndef KSR_KEEPER_PARTNER_H
#define KSR_KEEPER_PARTNER_H

#include "keeper/image.h"
#include "keeper/stop.h"

struct ksr_partner {
	const struct ksr_image *image;
	uint64_t sign; /* address of a word that nobody else writes */
	uint64_t number; /* that was written last */
	bool by_sign;
	pid_t last; /* the number of the youngest process, before all were asked */
};

/* Before the stop: asks all. room: the address of what the process offers. The image stays the caller's. */
int ksr_partner_begin(struct ksr_partner *partner, const struct ksr_image *image, uint64_t room);
/* In the stop: asks the younger ones. */
int ksr_partner_check(struct ksr_partner *partner, const struct ksr_stop *stop);

#endif
