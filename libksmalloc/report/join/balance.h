/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * balance: what processes need, and what they would need if nothing was merged and shared.
 *
 * What it is: sums over a report that reconcile with Pss: what is needed is the Pss of the processes, with the stores'
 * files in place of those of their pages that somebody has looked at. What KSM and the stores save is what is needed less
 * without them. What fork saves is apart: no kernel does without that.
 *
 * What it is not: figures of sites; and what the files of programs and libraries save, which everybody's Pss has already.
 *
 * Invariants: the kinds of a balance add up to its total. Each process is of one kind.
 *
 * Locking and owner: one thread; names belong to the report.
 *
 * Failure: -ENOMEM.
 */
#ifndef KSR_JOIN_BALANCE_H
#define KSR_JOIN_BALANCE_H

#include "join/group.h"

struct ksr_balance {
	uint64_t processes;
	uint64_t needs;
	uint64_t pss;
	uint64_t untouched; /* of what is needed: the stores' pages that are in nobody's Pss */
	uint64_t merged;    /* saved by KSM */
	uint64_t shared;    /* saved by stores */
	uint64_t forked;    /* saved by fork */
	uint64_t mergeable; /* resident and offered to KSM */
	uint64_t own;	    /* anonymous memory that is neither merged, nor shared by a store or by fork */
	uint64_t for_ksm;   /* of it, what is offered to KSM, and left alone by the store if the process has one */
	uint64_t files;	    /* of the Pss, pages of programs and libraries that are as their files have them */
	uint64_t mapped;    /* of the Pss, shared mappings */
	uint64_t visited;   /* bytes that ksmd has met; only with has_visited */
	bool has_visited;
};

enum ksr_role {
	KSR_ROLE_PROCESS,
	KSR_ROLE_MASTER, /* has forked others of its group */
	KSR_ROLE_WORKER, /* was forked by one */
	KSR_ROLE_COUNT,
};

struct ksr_kind {
	const char *group; /* may be empty */
	uint32_t layout;
	enum ksr_role role;
	const char *command;
	const char *container; /* may be empty */
	struct ksr_balance balance;
};

struct ksr_balances {
	struct ksr_balance total;
	struct ksr_kind *kinds; /* by group, the largest of a group first */
	size_t count;
};

int ksr_balances_create(const struct ksr_report *report, struct ksr_balances *balances);
void ksr_balances_destroy(struct ksr_balances *balances);
/* Of one process: `own` of its balance. */
uint64_t ksr_own_of_process(const struct ksr_process *process);

static inline uint64_t ksr_balance_saved(const struct ksr_balance *balance)
{
	return balance->merged + balance->shared;
}

static inline uint64_t ksr_balance_without(const struct ksr_balance *balance)
{
	return balance->needs + ksr_balance_saved(balance);
}

/* Of what so many processes of a kind hold, what would be saved if it was equal in all of them: all copies but one. */
static inline uint64_t ksr_saved_at_most(uint64_t bytes, uint64_t processes)
{
	return processes ? bytes - bytes / processes : 0;
}

/* "worker", for people; "process" where nothing more is known. */
const char *ksr_role_word(enum ksr_role role);

#endif
