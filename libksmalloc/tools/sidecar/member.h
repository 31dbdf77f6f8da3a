/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * member: whose workers are in this pod, and are there any left?
 *
 * What it is: looks at what the containers of a pod have in common, the shared memory and /proc.
 * What it is not: a reader of segments (report/read); a keeper.
 * Invariants: of a folder that is not the user's alone whose name it bears nothing is taken.
 * Locking and owner: one thread.
 * Failure: who cannot be seen is not there.
 */
#ifndef KSR_SIDECAR_MEMBER_H
#define KSR_SIDECAR_MEMBER_H

#include <sys/types.h>

#include "base.h"

struct ksr_pod_user {
	uid_t user;
	gid_t group;
};

/*
 * The user whose seed of the group lies in the shared memory; the caller's own if there are several, else that of the smallest number.
 * Who is not root finds nobody but himself; root that may not look into a folder takes its owner for one. false: there is none (yet). *foreign, if it was 0 before, is the number in the
 * name of a folder that belongs to somebody else.
 */
bool ksr_pod_find_user(const char *group, struct ksr_pod_user *found, uid_t *foreign);
/* Whether there are processes in this namespace but for the first one and the caller's process group. Keepers of the workers' own end a while after them. */
bool ksr_pod_has_others(void);

/*
 * Whether processes of the caller's user that are not its own can be looked into; true as long as there are none. Who has fewer
 * capabilities than they have may not.
 */
bool ksr_pod_may_trace(void);

#endif
