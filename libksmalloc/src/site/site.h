/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * site: the call stacks that allocate, and what is known about each.
 *
 * What it is: from the current call to its site (the thread recalls stacks that it
 * has seen), the site's counters and its state.
 * What it is not: memory. Which blocks a site has where is the business of
 * slot, run and placed; which sites are advised is policy's.
 *
 * Identity: XXH3 over (identity of the file, link-time address) of each frame,
 * 48 bits, with repeated frames left out, so that recursion does not make a
 * site for each depth. It is the same in every process that runs the same
 * files. A label's id is XXH3 over its name.
 *
 * Invariants: site 0 is "other"; where patterns deny sites, another one takes the place of denied
 * ones that cannot have their own. A site's index and address never change.
 * Locking: the table's lock for new sites; each site's own lock for its counters
 * and state and, if it is placed, for its slots.
 * Failure: with a full table or without memory a block belongs to site other.
 */
#ifndef KSM_SITE_H
#define KSM_SITE_H

#include "base.h"
#include "site/thread.h"

#include <ksmalloc/segment.h>
#include <pthread.h>
#include <stdatomic.h>

struct ksm_pool;
struct ksm_sample;

/*
 * What a site holds in one part of the process (see layout.h), so that a thread's
 * blocks lie where they do whatever other threads are doing. In the private
 * layout there is only the first. The site's lock protects all members but part.
 */
struct ksm_site_part {
	struct ksm_site_part *next;	/* of the same site, in order of creation */
	uint32_t part;			/* Synchronization: constant. */
	uint64_t held_pages;		/* of nurseries that it has: its blocks' and those in magazines */
	/* Its slots, NULL until it is placed; never changes back. Synchronization: atomic. */
	struct ksm_pool *pool;
};

struct ksm_site {
	pthread_mutex_t lock;	/* Protects the members below, and record's counters. */
	uint64_t id;		/* Synchronization: constant. */
	uint32_t index;		/* in the segment's table. Synchronization: constant. */
	bool advise;		/* what the policy says. Synchronization: constant. */
	bool denied;		/* by a pattern of deny. Synchronization: constant. */
	uint8_t priority;	/* of its hints. Synchronization: constant. */
	struct ksm_sample *sample;	/* NULL until it was sampled or settled, see sample.h */
	struct ksm_site_part first;	/* part 0 */
	struct ksm_magazine *magazines;	/* of all threads, see magazine.h. Synchronization: written under lock. */
	struct ksmalloc_segment_site *record;	/* its row in the segment */
};

/* Makes the tables and the site other. 0, or -ENOMEM; ksm_stat_init() came first. */
int ksm_site_init(void);

/*
 * Where the thread has its magazine for the site of a call that returns to caller with frame address
 * frame, if it has seen the stack and no label is open; else NULL, and ksm_site_current() tells.
 */
KSM_READS_FRAMES struct ksm_magazine **ksm_site_recall(struct ksm_thread *thread, uintptr_t caller,
						       uintptr_t frame)
{
	if (ksm_unlikely(!thread->is_plain || thread->generation != ksm_module_generation()))
		return NULL;
	return ksm_recall_find(&thread->recall, caller, frame);
}

/* The same if the stack fits the shape that fitted last, which costs least; NULL otherwise, too. */
KSM_READS_FRAMES struct ksm_magazine **ksm_site_recall_last(struct ksm_thread *thread, uintptr_t caller,
							    uintptr_t frame)
{
	if (ksm_unlikely(!thread->is_plain || thread->generation != ksm_module_generation()))
		return NULL;
	return ksm_recall_find_last(&thread->recall, caller, frame);
}

/*
 * The site of a call that returns to caller with frame address frame: that of
 * the innermost label of this thread, else that of the call stack. Never NULL;
 * may be the site other. NULL means that this thread is inside of a capture
 * and the block must go to jemalloc.
 */
struct ksm_site *ksm_site_current(uintptr_t caller, uintptr_t frame);

/* What takes the place of a site that cannot have slots of its own: the site itself if it is one. */
struct ksm_site *ksm_site_instead_of(struct ksm_site *site);

/* What small blocks of denied sites belong to when they grow; only where there are such. */
struct ksm_site *ksm_site_of_denied(void);

/* The site of an index that a block was marked with. */
struct ksm_site *ksm_site_at(uint32_t index);

/* The site called name, which is not NULL and not empty; see ksmalloc_label_begin(). */
struct ksm_site *ksm_site_of_label(const char *name);

/* Opens and closes labels of the current thread; see ksmalloc_label_begin() and ksmalloc_label_begin_id(). */
int ksm_site_label_begin(const char *name);
int ksm_site_label_begin_id(int id);
void ksm_site_label_end(void);

/* What ksm_site_label_begin_id() knows a label by, more than 0. */
int ksm_site_label_id(const char *name);

/* Forgets which stacks were seen, since code may have been loaded or unloaded. */
void ksm_site_flush(void);

/* The same if code was loaded or unloaded since, in a process whose dlclose() is not ours (late.h). */
void ksm_site_refresh(void);

/* Takes and releases the table's lock and all sites' locks, in this order. */
void ksm_site_lock_all(void);
void ksm_site_unlock_all(void);
void ksm_site_postfork_child(void);

#endif
