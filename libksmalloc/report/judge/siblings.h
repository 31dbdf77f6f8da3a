/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * siblings: which workers are of a kind?
 *
 * What it is: a choice of the two that are worth a comparison, and of those that are not looked at.
 * What it is not: a comparison. What a master is beside its workers is no reason why they differ.
 * Locking and owner: one thread; the workers are the caller's, and those left out are freed.
 * Failure: there are no two of a kind.
 */
#ifndef KSR_JUDGE_SIBLINGS_H
#define KSR_JUDGE_SIBLINGS_H

#include "judge/worker.h"

/*
 * Keeps the workers that are of a kind, the largest first: where some have
 * forked others, the most numerous siblings. Says which two will be compared, and whom it left out.
 * False where there are no two of a kind.
 */
bool ksr_keep_siblings(struct ksr_workers *workers, struct ksr_findings *findings);

#endif
