/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hint: telling the kernel about a slot.
 *
 * What it is: one call for a range that is newly mapped and not yet touched,
 * behind a table of operations for each kind of kernel:
 *   prctl          MADV_MERGEABLE and PR_SET_VMA_KSM_HINT: site, priority and stability, for
 *                  a kernel with kernel/'s patches, asked at load
 *   madvise        MADV_MERGEABLE, any kernel with KSM
 *   process        PR_SET_MEMORY_MERGE marked all memory, now and later (Linux 6.4)
 *   process+prctl  the same, and hints
 *   none           no KSM: nothing is said
 * What it is not: the decision which slots are advised or what a hint says, and it is never
 * called for single blocks: a slot that grows inherits what was said of it.
 *
 * Locking: none; the back end is an atomic pointer.
 * Failure: is counted in the segment and changes nothing else.
 */
#ifndef KSM_HINT_H
#define KSM_HINT_H

#include "base.h"

#include <ksmalloc/segment.h>

struct ksm_hint_ops {
	const char *name;
	/* Marks a whole mapping as mergeable. 0 or -errno. */
	int (*advise)(void *addr, size_t length);
	/* Gives it a hint; NULL where the kernel takes none. 0 or -errno. */
	int (*hint)(void *addr, size_t length, uint64_t word);
};

/* Chooses the back end, after the options were read; marks the whole process if they say so. */
void ksm_hint_init(void);

/* True if all memory of the process is mergeable, so that what must not merge needs to be exempted. */
bool ksm_hint_covers_process(void);

/* Advises a mapping; true if the kernel took it. */
bool ksm_hint_advise(void *addr, size_t length);

/*
 * The word of version 1 of the hint interface. peers: equal content lies at the same place of
 * its GiB in other processes.
 */
uint64_t ksm_hint_word(uint64_t site, uint64_t priority, enum ksmalloc_stability stability, bool peers);

/* True if the kernel takes hints. */
bool ksm_hint_is_taken(void);

/*
 * Hints mappings that were advised. 0, or -errno, which is counted: -EAGAIN at the limit of
 * mappings; -EOPNOTSUPP, which is not counted, where the kernel takes no hints.
 */
int ksm_hint_set(void *addr, size_t length, uint64_t word);

/*
 * Takes a mapping out of what merges: in a process that prctl(2) made mergeable as
 * a whole (PR_SET_MEMORY_MERGE), new mappings are mergeable by themselves.
 */
void ksm_hint_exempt(void *addr, size_t length);

/*
 * Keeps huge pages out of a mapping in which small blocks of many sites come and go:
 * under "always", 2 MiB would become resident for the first of them.
 */
void ksm_hint_small_pages(void *addr, size_t length);

/* Names a mapping in /proc/PID/maps, where the option says so and the kernel can. */
void ksm_hint_name(void *addr, size_t length, const char *name);

/* The name of the back end in use. */
const char *ksm_hint_backend(void);

#endif
