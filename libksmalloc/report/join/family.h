/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * family: which process of a report is whose parent.
 *
 * What it is: the processes of a report by their numbers, so that a thousand of them are not compared with each other.
 * What it is not: a reader: parents are as their status said.
 * Invariants: it holds for the processes that were there when it was made, in their order.
 * Locking and owner: the family is the caller's; pure otherwise.
 * Failure: -ENOMEM.
 */
#ifndef KSR_JOIN_FAMILY_H
#define KSR_JOIN_FAMILY_H

#include "join/report.h"

/* No process. */
#define KSR_FAMILY_NONE SIZE_MAX

struct ksr_family {
	struct ksr_family_member {
		pid_t pid;
		size_t index; /* in the report */
	} *members; /* by pid */
	size_t count;
};

/* 0 or -ENOMEM; to be destroyed in both cases. */
int ksr_family_create(const struct ksr_report *report, struct ksr_family *family);
void ksr_family_destroy(struct ksr_family *family);
/* The index in the report of the process of this number, and of the parent of a process, or KSR_FAMILY_NONE. */
size_t ksr_family_find(const struct ksr_family *family, pid_t pid);
size_t ksr_family_parent(const struct ksr_family *family, const struct ksr_process *process);

#endif
