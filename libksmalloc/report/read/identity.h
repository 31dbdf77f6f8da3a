/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * identity: what a process is, apart from what it computes.
 *
 * What it is: its ids, clocks and random bytes, which is what else two equal programs differ in; and where its threads have
 * their stacks.
 * What it is not: its memory (space.h).
 * Invariants: ids are in an order in which those of equal processes match.
 * Locking and owner: identity and stacks own their arrays; one thread.
 * Failure: none; what cannot be known stays empty.
 */
#ifndef KSR_READ_IDENTITY_H
#define KSR_READ_IDENTITY_H

#include "read/status.h"

#define KSR_IDENTITY_RANDOM 16

/* What a process is, apart from what it computes. */
struct ksr_identity {
	/* Process and thread ids as the process and as the reader see them, in matching order. */
	pid_t *ids;
	size_t id_count;
	uint64_t real_begin; /* nanoseconds since 1970: when it started, and now */
	uint64_t real_end;
	uint64_t boot_begin; /* the same since the boot */
	uint64_t boot_end;
	bool has_random;
	unsigned char random[KSR_IDENTITY_RANDOM]; /* what AT_RANDOM points to */
};

/* Where threads have their stacks, as far as that can be known. */
struct ksr_stacks {
	uint64_t *pointers; /* of threads that are in a system call */
	size_t count;
	uint64_t bytes; /* of one stack */
};

/* Fills what can be known; what cannot stays empty. */
void ksr_identity_read(const struct ksr_fs *fs, pid_t pid, const struct ksr_status *status,
		       struct ksr_identity *identity);
void ksr_identity_free(struct ksr_identity *identity);
/* The caller frees the pointers. */
void ksr_stacks_read(const struct ksr_fs *fs, pid_t pid, struct ksr_stacks *stacks);

/* Pure parts, exposed for tests and fuzzing. */

/* The value of an entry of /proc/PID/auxv, 0 when there is none. */
uint64_t ksr_auxv_find(const struct ksr_text *auxv, uint64_t type);
/* The stack limit of /proc/PID/limits, which sizes the stacks of threads. */
uint64_t ksr_limits_stack(const struct ksr_text *limits);
/* The stack pointer of a line of /proc/PID/task/TID/syscall, 0 when it tells none. */
uint64_t ksr_syscall_stack(const struct ksr_text *text);

#endif
