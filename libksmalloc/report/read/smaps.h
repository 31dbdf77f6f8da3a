/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smaps: the mappings of a process, and what the kernel counts of each.
 *
 * What it is: /proc/PID/smaps and smaps_rollup, parsed.
 * What it is not: a join. Nothing here knows about segments or sites.
 * Invariants: all sizes are bytes. VMAs are in ascending order and do not overlap.
 * Locking and owner: the list is the caller's, to be freed by ksr_smaps_free().
 * Failure: -errno; -EINVAL where the text has not the expected form. Labels that are not known are ignored, since kernels
 * add some.
 */
#ifndef KSR_READ_SMAPS_H
#define KSR_READ_SMAPS_H

#include "read/number.h"

/* The fields of one entry of smaps: X(member, label), in bytes. */
#define KSR_SMAPS_FIELDS(X)                                                                        \
	X(rss, "Rss")                                                                              \
	X(pss, "Pss")                                                                              \
	X(pss_dirty, "Pss_Dirty") /* since 6.0 */                                                  \
	X(shared_clean, "Shared_Clean")                                                            \
	X(shared_dirty, "Shared_Dirty")                                                            \
	X(private_clean, "Private_Clean")                                                          \
	X(private_dirty, "Private_Dirty")                                                          \
	X(anonymous, "Anonymous")                                                                  \
	X(ksm, "KSM")                                                                              \
	X(swap, "Swap")                                                                            \
	X(huge, "AnonHugePages")

#define KSR_VMA_MERGEABLE (1u << 0)  /* VmFlags has mg */
#define KSR_VMA_NO_HUGE (1u << 1)    /* VmFlags has nh */
#define KSR_VMA_FILE (1u << 2)	     /* maps a file */
#define KSR_VMA_HAS_KSM (1u << 3)    /* the kernel has a line KSM: at all, since 6.6 */
#define KSR_VMA_SPECIAL (1u << 4)    /* [stack], [vdso] and such: a name of the kernel's */
#define KSR_VMA_SHARED (1u << 5)     /* a shared mapping: never merged by KSM */
#define KSR_VMA_ASKED_HUGE (1u << 6) /* VmFlags has hg: madvise(MADV_HUGEPAGE) */
#define KSR_VMA_STORE (1u << 7)	     /* maps a file of a group's store */

struct ksr_vma {
	uint64_t begin;
	uint64_t end;
	uint32_t flags;
	char name[52]; /* what follows [anon:, the kernel's name, or the last component of a file's */
	uint64_t inode; /* of a store's file: which one, and from where it is mapped */
	uint64_t offset;
	uint64_t hollow; /* bytes of it for which neither the file nor the process has a page, as far as that is known (store_files.h) */
#define KSR_SMAPS_MEMBER(member, label) uint64_t member;
	KSR_SMAPS_FIELDS(KSR_SMAPS_MEMBER)
#undef KSR_SMAPS_MEMBER
};

struct ksr_smaps {
	struct ksr_vma *vmas;
	size_t count;
};

/* Is this a file of a store, by its name? */
bool ksr_is_store(const struct ksr_map_line *map);

/*
 * Times that a text is read that is -EINVAL to parse: the kernel writes it in pieces, and a mapping that grew in between
 * has been told of twice, with an overlap.
 */
#define KSR_SMAPS_TRIES 5

int ksr_smaps_parse(const struct ksr_text *text, struct ksr_smaps *smaps);
int ksr_smaps_read(const struct ksr_fs *fs, pid_t pid, struct ksr_smaps *smaps);
void ksr_smaps_free(struct ksr_smaps *smaps);
/* The one entry of /proc/PID/smaps_rollup. */
int ksr_smaps_rollup_read(const struct ksr_fs *fs, pid_t pid, struct ksr_vma *total);

#endif
