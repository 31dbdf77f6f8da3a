/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * member: one worker of a group: what its segment offers, and passes in it, by steps.
 *
 * What it is: a process whose segment (ksmalloc/segment.h) names the group and offers a room. A step is a stop of all of
 * its threads, in which one of them goes on with a pass for a bounded time.
 *
 * What it is not: a choice of when (pace.h, keeper.h).
 *
 * Invariants: what the segment says is believed of that process alone: it can harm nobody else by it. Steps are made in
 * a hand (hand.h).
 *
 * Locking and owner: one thread.
 *
 * Failure: -errno. ksr_member_open(): -ENOENT where the process has no segment, or is of no or another group; -EPERM where
 * the kernel forbids to read it, and it is of the group as far as its environment tells. Steps: see stop.h, call.h,
 * partner.h and ksmalloc/keeper.h; each has its reason.
 */
#ifndef KSR_KEEPER_MEMBER_H
#define KSR_KEEPER_MEMBER_H

#include "read/fs.h"
#include "ksmalloc/seed.h"
#include "ksmalloc/segment.h"
#include "keeper/pace.h"

#define KSR_MEMBER_STORES 2 /* of seeds that the group has had: what was begun before a renewal goes on */

/* Whose workers are looked for. */
struct ksr_kept_group {
	const char *name;
	uint64_t stores[KSR_MEMBER_STORES];
};

struct ksr_member {
	pid_t pid;
	struct ksr_image image;
	uint64_t segment; /* its address */
	/* As of the last look: */
	struct ksmalloc_segment_keeper offer;
	uint64_t entry_rest; /* of it; 0 in older versions */
	uint64_t gained_pages; /* own pages that it has given up so far */
	uint64_t changed_pages; /* these, what it has published, and what of the store it has left */
	uint64_t passes;       /* that it has made so far */
	uint64_t answered;     /* the last request for a pass that it has followed (ksmalloc/store.h) */
};

struct ksr_step {
	int64_t later_ms;  /* 0: there is more to do at once */
	uint64_t stood_ns; /* for as long the process stood, also in vain */
	enum ksmalloc_keeper_reason reason; /* why it failed */
};

/* The number by which processes of one seed have one store. */
uint64_t ksr_group_store(const struct ksmalloc_seed *seed);

int ksr_member_open(struct ksr_member *member, const struct ksr_fs *fs, pid_t pid, const struct ksr_kept_group *group);
void ksr_member_close(struct ksr_member *member);

/* What it uses now, and what it offers. -ESRCH where the process, or its program, has gone. */
int ksr_member_look(struct ksr_member *member, struct ksr_look *look);

/* Goes on with a pass, or begins one. */
int ksr_member_step(const struct ksr_member *member, unsigned int budget_us, struct ksr_step *step);

/* What follows "it is left alone: ". */
const char *ksr_member_words(enum ksmalloc_keeper_reason reason);

/* Tells it in the segment of the process, where that can be. */
void ksr_member_tell(const struct ksr_member *member, enum ksmalloc_keeper_reason reason);

#endif
