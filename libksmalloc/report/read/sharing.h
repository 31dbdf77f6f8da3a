/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sharing: how pages are shared, counted page by page.
 *
 * What it is: pagemap, kpagecount and kpageflags. Needs root.
 * What it is not: a reader of content (reader.h).
 * Invariants: where the kernel's flag of KSM does not tell, nothing is counted by it.
 * Locking and owner: a descriptor that was opened is the caller's.
 * Failure: -errno.
 */
#ifndef KSR_READ_SHARING_H
#define KSR_READ_SHARING_H

#include "read/fs.h"

/* How a VMA's pages are shared, counted page by page. Needs root. */
struct ksr_sharing {
	uint64_t ksm_saved;  /* bytes: each KSM page less its share, page * (1 - 1/mapcount) */
	uint64_t fork_saved; /* the same of pages that are not KSM's */
	uint64_t ksm_mapped; /* bytes of mapped KSM pages */
};

/*
 * Opens kpageflags; -EOPNOTSUPP where the kernel's flag of KSM does not tell (Linux 6.12), which
 * is found out by a page of our own.
 */
int ksr_page_flags_open(const struct ksr_fs *fs);
/* True if that can be opened. */
bool ksr_page_flags_tell(const struct ksr_fs *fs);

/*
 * [begin, end) of a process, by pagemap, kpagecount and kpageflags, which must tell: that is for
 * the caller to ask, once. -EPERM when the kernel hides PFNs.
 */
int ksr_sharing_read(const struct ksr_fs *fs, pid_t pid, uint64_t begin, uint64_t end,
		     struct ksr_sharing *sharing);

#endif
