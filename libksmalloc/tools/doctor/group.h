/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * group: what makes the heaps of equal workers differ.
 *
 * What it is: checks over the processes of one group, or of a list, that run the
 * same program: their layouts, files, environments, threads, hash seeds; and a
 * comparison of a sample of the memory of two of them. What a master is beside
 * its workers is no reason: siblings are compared.
 * What it is not: a full comparison, which is ksmalloc-diff(1).
 * Invariants: a check that finds nothing wrong says so in one line or is silent;
 * a member that cannot be read in part is left out of that check only.
 * Locking and owner: one thread; members own what they point to.
 * Failure: what cannot be checked is a finding.
 */
#ifndef KSR_DOCTOR_GROUP_H
#define KSR_DOCTOR_GROUP_H

#include "doctor/doctor.h"
#include "read/space.h"

#include <limits.h>

struct ksr_member {
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

struct ksr_members {
	struct ksr_member *list;
	size_t count;
};

struct ksr_diff;

/* Findings about the group, or where there is no name about the processes. */
void ksr_check_group(const struct ksr_fs *fs, const char *group, const pid_t *pids, size_t count,
		     struct ksr_findings *findings);

/*
 * doctor/siblings.c: keeps the members that are of a kind, the largest first: where some have
 * forked others, the most numerous siblings. Says which two will be compared, and whom it left out.
 * False where there are no two of a kind.
 */
bool ksr_keep_siblings(struct ksr_members *members, struct ksr_findings *findings);
/* doctor/language.c: hash seeds and flags of interpreters. */
void ksr_check_languages(const struct ksr_members *members, struct ksr_findings *findings);
/* doctor/folders.c: folders that changed between the starts. */
void ksr_check_folders(const struct ksr_fs *fs, const struct ksr_members *members,
		       struct ksr_findings *findings);
/* doctor/huge.c: huge pages, and who asked for them; also of a single process. */
void ksr_check_huge_pages(const struct ksr_fs *fs, const struct ksr_members *members,
			  struct ksr_findings *findings);
/* doctor/environment.c: what shifts the stack, and limits and threads. */
void ksr_check_environments(const struct ksr_members *members, struct ksr_findings *findings);
/* doctor/sample.c: what the pages of two members differ in. */
void ksr_check_sample(const struct ksr_fs *fs, const struct ksr_members *members,
		      struct ksr_findings *findings);

/* doctor/sample.c: one stretch of how many is enough of the process's memory for a sample? */
uint64_t ksr_sample_every(const struct ksr_fs *fs, pid_t pid);
/* doctor/since.c: the event that the two that were compared differ since; both: pages that both
 * have. */
void ksr_find_since(const struct ksr_diff *diff, const struct ksr_members *members, uint64_t both,
		    struct ksr_findings *findings);

/* Those of the processes that run the program which most of them run; the others are findings. */
void ksr_members_read(const struct ksr_fs *fs, const pid_t *pids, size_t count,
		      struct ksr_members *members, struct ksr_findings *findings);
void ksr_members_free(struct ksr_members *members);
void ksr_member_free(struct ksr_member *member);
/* The value of a variable of the environment, NULL when it has none. */
const char *ksr_member_variable(const struct ksr_member *member, const char *name);

#endif
