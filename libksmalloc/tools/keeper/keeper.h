/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keeper: the keeper of a group: has its workers share, for as long as there are some.
 *
 * What it is: a loop that finds workers (watch.h), looks at what they use (pace.h), and makes passes in those that are worth
 * it, or that were asked for one (ksmalloc/store.h), by steps (member.h) with pauses between them.
 *
 * Which workers: those with more than one thread, which cannot share by themselves; and those that have one, and did not
 * make the pass that they wanted to make a while ago: they never wait in a call that the library sees.
 *
 * Invariants: a process stands for one step at a time, and between two steps runs as long as pace.h says. Nothing is
 * left behind in a process by the keeper's end, at any moment.
 *
 * Where every_ns is set all workers, those with one thread, too, are stopped for a pass each time that so long has gone by, and run as
 * long as they stood between two stops. That finds out what programs make of it.
 *
 * How often: each look comes twice as long after the one before, up to a second, and soon where something has changed:
 * there is a new worker, one has grown, or the store has other files. Few passes are made at once: what one worker
 * publishes the next one finds in its first pass.
 *
 * Locking and owner: one thread, which may be killed.
 *
 * Failure: what concerns one worker is told to `say` and in its segment; the loop goes on.
 */
#ifndef KSR_KEEPER_KEEPER_H
#define KSR_KEEPER_KEEPER_H

#include "keeper/post.h"
#include "keeper/watch.h"

struct ksr_worker {
	struct ksr_member member;
	struct ksr_pace pace;
	struct ksr_look look;
	uint64_t next_ns; /* when it is attended to again */
	bool in_pass;
	bool postponed; /* until another one's pass has ended */
	unsigned int failures; /* of steps, since one went well */
	unsigned int steps;   /* of the pass */
	uint64_t stood_ns;    /* in it */
	uint64_t longest_ns;
	uint64_t gained_before;	 /* as the segment counts */
	uint64_t changed_before; /* the same */
	uint64_t last_stood_ns; /* of the last step */
	uint64_t last_ended_ns;
	uint64_t last_cpu_ns;   /* what the process had run then */
	uint64_t generation;    /* of the store, when its last pass began */
	uint64_t generation_looked; /* the same, at the last look */
	uint64_t passes_seen;	/* that it had made at the last look */
	uint64_t gained_seen;
	enum ksmalloc_keeper_reason reason;
	uint64_t request;     /* the last one when the pass began */
	uint64_t given_up;    /* the last one that could not be followed */
};

/* What a pass was, for those who want to read it. gained: pages; reason: none where it went well. */
struct ksr_pass_news {
	pid_t pid;
	enum ksmalloc_keeper_reason reason;
	uint64_t gained;
	unsigned int steps;
	uint64_t stood_ns;
	uint64_t longest_ns;
};

struct ksr_keep {
	struct ksr_kept_group group;
	struct ksr_post post;
	const char *seed;  /* its path: a renewed one is seen */
	char table[PATH_MAX]; /* the path of the store's */
	uint64_t idle_ns;  /* without a worker for that long it ends */
	uint64_t every_ns; /* from a pass of a worker's to the next one, whatever they gain; 0: as pace.h says */
	void (*say)(const struct ksr_pass_news *news);
	/* Of the loop. */
	struct ksr_worker *workers;
	size_t count;
	size_t capacity;
	uint64_t worker_seen_ns;
	uint64_t generation; /* of the store's files */
	uint64_t tick_ns;    /* until the next look */
	uint64_t look_ns;    /* when the table is looked at */
	uint64_t scan_ns;    /* when new workers are looked for */
	bool is_stirred;     /* something has changed since the last look at the table */
	uint64_t requests; /* for a pass, that were made of the group so far */
	uint64_t asked_ns; /* when the last one was seen */
	uint64_t asked_since_boot_ns; /* the same, on the clock of processes' starts */
};

/* The post is held. 0 when the group has no more workers, or another keeper. */
int ksr_keep(struct ksr_keep *keep);

/* One pass in each worker that there is, now, whatever the pace but for the pauses, in so many rounds. The post need not be held. */
int ksr_keep_once(struct ksr_keep *keep, unsigned int rounds);

#endif
