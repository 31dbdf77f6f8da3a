/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * part: what memory outside of sites is.
 *
 * What it is: a name for each kind of such memory, and which one a mapping is of.
 * What it is not: for slots of sites and nurseries.
 * Locking and owner: pure.
 * Failure: none.
 */
#ifndef KSR_JOIN_PART_H
#define KSR_JOIN_PART_H

#include "join/memory.h"
#include "read/snapshot.h"

/* Memory outside of sites, by what it is: X(name, key, what it is called). */
#define KSR_PARTS(X)                                                                               \
	X(HEAP, "heap", "small blocks")                                                            \
	X(MAPPINGS, "mappings", "mappings of the program")                                         \
	X(BRK, "brk", "heap of libc")                                                              \
	X(STACKS, "stack", "stack of the first thread")                                            \
	X(FILES, "files", "data of programs and libraries")                        \
	X(OTHERS, "other", "other anonymous memory")                                       \
	X(THREADS, "threads", "stacks of threads")

enum ksr_part_id {
#define KSR_PART_ID(name, key, text) KSR_PART_##name,
	KSR_PARTS(KSR_PART_ID)
#undef KSR_PART_ID
		KSR_PART_COUNT,
};

struct ksr_part {
	struct ksr_memory memory;
	struct ksr_memory beyond;   /* what is left out there: nobody asked to merge it, and it is not merged */
	struct ksr_memory unmarked; /* of both, what has no origin and is not kept (origin.h) */
	uint64_t live; /* bytes that the program holds there; only with has_live */
	bool has_live;
	uint32_t processes; /* that have memory there */
};

/* What of small blocks was freed and is nobody's (totals.kept of report.h) is called so, in brackets where it is a row. */
#define KSR_KEPT_NAME "freed, kept by the allocator"

const char *ksr_part_key(enum ksr_part_id part);
const char *ksr_part_name(enum ksr_part_id part);
/* Which part a mapping outside of slots is of; KSR_PART_COUNT: none of KSM's. */
enum ksr_part_id ksr_part_of(const struct ksr_snapshot *snapshot, const struct ksr_vma *vma);

#endif
