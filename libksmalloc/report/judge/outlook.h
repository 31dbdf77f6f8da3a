/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * outlook: what KSM and the stores do now, how long until they are done, and what could be saved besides.
 *
 * What it is: sentences and figures, drawn from what the kernel and the segments count.
 * What it is not: a look at content: what could be saved is the memory that a remedy would reach, if it was equal in all
 * processes of a kind. ksmalloc-why(1) counts in the same way what is equal, and comes to no more.
 * Invariants: each proposal has a command. Times are those at the present pace, with the present processes.
 * Locking and owner: pure; the strings belong to the caller.
 * Failure: none.
 */
#ifndef KSR_JUDGE_OUTLOOK_H
#define KSR_JUDGE_OUTLOOK_H

#include "join/balance.h"

#define KSR_OUTLOOK_BYTES 384
#define KSR_PROPOSALS_MOST 5

/* X(name, key) */
#define KSR_ENGINE_STATES(X)                                                                       \
	X(MISSING, "missing")	/* the kernel has no KSM; nobody was asked to share */             \
	X(STOPPED, "stopped")                                                                      \
	X(UNUSED, "unused")	/* none of these processes' memory is offered to it */             \
	X(WORKING, "working")                                                                      \
	X(DONE, "done")		/* nothing more is gained, as long as nothing changes */

enum ksr_engine_state {
#define KSR_ENGINE_ID(name, key) KSR_ENGINE_##name,
	KSR_ENGINE_STATES(KSR_ENGINE_ID)
#undef KSR_ENGINE_ID
};

struct ksr_engine {
	enum ksr_engine_state state;
	uint64_t seconds; /* until it is done: with WORKING only; KSR_NONE: not known */
	char text[KSR_OUTLOOK_BYTES];
};

struct ksr_proposal {
	uint64_t bytes; /* that it reaches */
	char text[KSR_OUTLOOK_BYTES];
	char command[KSR_OUTLOOK_BYTES];
};

struct ksr_outlook {
	struct ksr_engine merging;
	struct ksr_engine sharing;
	bool is_hopeless; /* nothing of it can merge or be shared now */
	char why_hopeless[KSR_OUTLOOK_BYTES];
	struct ksr_proposal proposals[KSR_PROPOSALS_MOST];
	size_t proposal_count;
};

const char *ksr_engine_key(enum ksr_engine_state state);
/* is_live: the report is of this moment, so that times can be told. */
void ksr_outlook_make(const struct ksr_report *report, const struct ksr_balances *balances, bool is_live,
		      struct ksr_outlook *outlook);
/*
 * Seconds until all processes of the report that share by a store have looked once more for what is equal, if they rest by
 * then; KSR_NONE: not known. The report is of this moment.
 */
uint64_t ksr_sharing_seconds(const struct ksr_report *report);
/* Seconds of one round of ksmd over all that it knows and those more bytes; KSR_NONE: not known. */
uint64_t ksr_round_seconds(const struct ksr_kernel *kernel, uint64_t page_bytes, uint64_t more);

#endif
