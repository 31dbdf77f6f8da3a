/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker: the processes that are to be equal, as far as they are looked at.
 *
 * What it is: those of a list of processes that run the same program, each with its space,
 * its environment, and what memory it has.
 * What it is not: a comparison.
 * Invariants: a process that cannot be read in part has that part empty.
 * Locking and owner: one thread; workers own what they point to.
 * Failure: what cannot be looked at is a finding.
 */
#ifndef KSR_JUDGE_WORKER_H
#define KSR_JUDGE_WORKER_H

#include <limits.h>

#include "judge/finding.h"
#include "read/space.h"

struct ksr_worker {
	pid_t pid;
	struct ksr_space space;
	struct ksr_text environment; /* entries end with a NUL each; data NULL: cannot be read */
	struct ksr_text arguments;
	char program[PATH_MAX];
	uint64_t threads;
	uint64_t stack_limit;
	uint64_t memory;     /* anonymous bytes that are there */
	uint64_t huge;	     /* of these, in huge pages */
	uint64_t asked;	     /* of these, where the process asked for huge pages itself */
	uint64_t asked_huge; /* both */
};

struct ksr_workers {
	struct ksr_worker *list;
	size_t count;
};

/* Those of the processes that run the program which most of them run; the others are findings. */
void ksr_workers_read(const struct ksr_fs *fs, const pid_t *pids, size_t count,
		      struct ksr_workers *workers, struct ksr_findings *findings);
void ksr_workers_free(struct ksr_workers *workers);
void ksr_worker_free(struct ksr_worker *worker);
/* The value of a variable of the environment, NULL when it has none. */
const char *ksr_worker_variable(const struct ksr_worker *worker, const char *name);

#endif
