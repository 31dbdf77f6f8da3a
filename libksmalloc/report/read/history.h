/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * history: what has decided where a process's memory lies, as the process tells it.
 *
 * What it is: a checked copy of the events of ksmalloc/history.h, and the question which of them an
 * address belongs to: the last anchor or fork before its memory was taken, or the start.
 *
 * What it is not: there for a process in the private layout, or one of a library before version 5
 * of the segment.
 *
 * Invariants: moments are in the order of time; number 0 is the start. Threads beside the first one
 * of their depth take memory at any time: theirs belongs to a moment of its own for each depth,
 * behind all others. Names are terminated; they may hold anything else.
 *
 * Locking and owner: one thread; the copy belongs to the caller, the process goes on.
 *
 * Failure: -errno; -ENOENT where there is none, -EINVAL where it is damaged.
 */
#ifndef KSR_READ_HISTORY_H
#define KSR_READ_HISTORY_H

#include "ksmalloc/history.h"
#include "read/snapshot.h"

enum ksr_moment_kind {
	KSR_MOMENT_START,
	KSR_MOMENT_FORK,
	KSR_MOMENT_ANCHOR,
	KSR_MOMENT_THREADS, /* not one moment, but all that threads took */
};

struct ksr_moment {
	enum ksr_moment_kind kind;
	uint32_t depth;
	uint64_t hash; /* of an anchor; equal in processes of a group that passed the same */
	char name[KSMALLOC_HISTORY_NAME];
};

/* Memory that was taken, by address. */
struct ksr_taken {
	uint64_t begin;
	uint64_t end;
	uint32_t moment;
	bool is_objects; /* of a runtime, else small blocks */
};

struct ksr_history {
	struct ksr_moment *moments;
	uint32_t moment_count;
	struct ksr_taken *taken;
	size_t taken_count;
	uint64_t lost; /* not 0: some events had no room, this many or more */
};

int ksr_history_read(const struct ksr_fs *fs, const struct ksr_snapshot *snapshot,
		     struct ksr_history *history);
void ksr_history_free(struct ksr_history *history);

/* What an address belongs to; NULL where no event has taken it. */
const struct ksr_taken *ksr_history_find(const struct ksr_history *history, uint64_t address);
/* Are these of two processes the same moment? */
bool ksr_moment_is_same(const struct ksr_moment *a, const struct ksr_moment *b);
/* The moment that is the same one in another process; UINT32_MAX if that has none. */
uint32_t ksr_history_match(const struct ksr_history *history, const struct ksr_moment *moment);

/* Of the bytes of struct ksmalloc_history, or of as many as there are. Exposed for tests and
 * fuzzing. */
int ksr_history_parse(const void *data, size_t size, struct ksr_history *history);

#endif
