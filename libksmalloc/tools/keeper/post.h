/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * post: the file beside a group's seed by which there is one keeper of the group.
 *
 * What it is: a lock (fcntl(2)) that its holder loses by its end alone, and of which others can tell who holds it: the
 * workers, which let the holder trace them, and whoever starts a worker. There is one for each namespace of pids
 * (ksmalloc/keeper.h). The time of the file says when a keeper was
 * last asked for.
 *
 * Invariants: who asks for a keeper does so first and looks for one then; a keeper that has nothing to do gives the post
 * up first and then looks whether it was asked for. So no group is left without one.
 *
 * Locking and owner: the holder may open the file no second time: closing it would give up the lock. A hand's copy of the
 * descriptor holds nothing.
 *
 * Failure: -errno; -EPERM where the file is not the user's alone.
 */
#ifndef KSR_KEEPER_POST_H
#define KSR_KEEPER_POST_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct ksr_post {
	char path[PATH_MAX];
	int file;	 /* -1 while it is not held */
	off_t space;	 /* of pids: what is locked of the file */
	struct timespec asked;
};

/* Its name follows from the seed's; -ENAMETOOLONG. */
int ksr_post_name(struct ksr_post *post, const char *seed);

/* Takes it. -EAGAIN where a living process has it, which is told. */
int ksr_post_take(struct ksr_post *post, pid_t *holder);

/*
 * To be asked now and then while there are workers: whoever removed the file removed it for those who ask, and a new one
 * may have a holder of its own.
 * Takes it anew where it can. -EAGAIN where there is another keeper by now, which is the one.
 */
int ksr_post_hold(struct ksr_post *post);

/* Gives it up, unless somebody has asked meanwhile: false then. */
bool ksr_post_leave(struct ksr_post *post);

/* Asks for a keeper: its pid, 0 where there is none; or -errno. */
pid_t ksr_post_ask(const struct ksr_post *post);

#endif
