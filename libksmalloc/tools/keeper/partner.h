/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * partner: does a process that is no thread of it have the same memory?
 *
 * What it is: clone(2) with CLONE_VM alone makes such processes, and so does vfork(2). A stop does not find them. All
 * processes are asked before the stop, and in it those that were begun since, which their numbers tell.
 *
 * What it is not: a look into the keeper's outer namespaces of pids.
 *
 * Locking and owner: one thread.
 *
 * Failure: -EUSERS if there is one; -EAGAIN where too many processes were begun since; -ENOSYS where the kernel does not
 * tell (kcmp(2)), or -errno.
 */
#ifndef KSR_KEEPER_PARTNER_H
#define KSR_KEEPER_PARTNER_H

#include "stop.h"

struct ksr_partner {
	pid_t pid;
	pid_t last; /* the number of the youngest process, before all were asked */
};

/* Before the stop: asks all. */
int ksr_partner_begin(struct ksr_partner *partner, pid_t pid);
/* In the stop: asks the younger ones. */
int ksr_partner_check(const struct ksr_partner *partner, const struct ksr_stop *stop);

#endif
