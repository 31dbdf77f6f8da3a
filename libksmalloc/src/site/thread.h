/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread: what the library knows of the current thread.
 *
 * What it is: one record for each thread that had a large block: the stacks it has seen, its
 * open labels, its magazines, and room for a capture so that it takes no stack. And what
 * is known from the start: the bounds of its stack.
 * What it is not: the meaning of any of that; recall, site and magazine know.
 *
 * Lifetime: a record is made by the first large block and goes to a list of free ones when the
 * thread ends; blocks that other destructors allocate later make a new one. It begins without
 * recalled stacks, since another thread's stack may lie at the same addresses.
 * Locking: a record belongs to its thread; the list of free ones has a lock of its own.
 * Failure: NULL without memory; the block comes from jemalloc then.
 */
#ifndef KSM_THREAD_H
#define KSM_THREAD_H

#include "base.h"
#include "system/lock.h"
#include "site/behalf.h"
#include "site/module.h"
#include "site/recall.h"
#include "site/script.h"
#include "site/unwind.h"

#include <ksmalloc/segment.h>

struct ksm_site;
struct ksm_magazine;

#define KSM_LABEL_DEPTH 16

/* What a capture needs besides the unwinder's own stack. */
struct ksm_capture {
	struct ksm_unwind_room room;
	struct ksm_stack stack;
	uintptr_t folded[KSM_MAX_FRAMES];
	uint32_t folded_count;
	struct ksm_behalf behalf; /* whose scripts have made the program map memory, where their code was made at run time */
	uint64_t mapping;	/* bytes that this capture's call maps, 0: another call */
	uintptr_t known_end;	/* a frame that stacks end with, and that lies in a file */
	uintptr_t known_gap;	/* one that the unwinder knows nothing of, so that stacks end too early */
	uint32_t known_end_at;	/* generation of the modules */
	uint32_t frame_count;	/* of the folded ones, those that resolve */
	struct ksm_module_address frames[KSM_MAX_FRAMES];
	size_t text_bytes;
	struct ksm_script script; /* of an origin */
	/* Identity and offset of each frame, of which the site's id is the hash. */
	uint8_t text[KSM_MAX_FRAMES * (KSMALLOC_BUILD_ID_BYTES + sizeof(uint64_t))];
};

/* Synchronization: its own thread only, next_free under the list's lock. */
struct ksm_thread {
	/* No label is open, no capture is under way, and none is asked for: the site of a call is that of its stack. */
	bool is_plain;
	bool capturing;
	uint8_t mark_in;	/* after so many large blocks one is to be marked; 0: no */
	uint32_t labels;	/* labels that are open, also those beyond KSM_LABEL_DEPTH */
	uint32_t generation;	/* of the modules, when recall was filled */
	uint32_t cached_pages;	/* in its magazines */
	uint32_t budget_pages;	/* that they may hold */
	uint32_t regrets;	/* times that a run was wanted where a magazine had given up some */
	struct ksm_magazine **magazines; /* by index of the site; NULL: it has none there. Recall leads here. */
	struct ksm_magazine *first;	 /* of its magazines, in a ring */
	struct ksm_magazine *recent;	 /* that had a run last: what is freed next is likely to go there */
	struct ksm_site *label_sites[KSM_LABEL_DEPTH];
	struct ksm_thread *next_free;
	struct ksm_recall recall;
	struct ksm_capture capture;
	/* The stacks of small blocks, where they are asked for (denied.h); NULL before the first. */
	struct ksm_recall *asked;
	uint32_t asked_generation; /* of the modules, when it was filled */
};

/*
 * The record of the current thread, NULL if it has none. Initial-exec: the general model may
 * call malloc at a thread's first access.
 */
extern __thread struct ksm_thread *ksm_thread_self
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* KiB that were picked of the thread's small blocks (pick.h). It lies here where it takes no static TLS but padding. */
extern __thread uint32_t ksm_thread_picked_kib __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Makes it possible to have records. 0, or -ENOMEM. at_exit is called for each that ends. */
int ksm_thread_init(void (*at_exit)(struct ksm_thread *thread));

/* Makes the current thread's record. NULL without memory. */
KSM_COLD struct ksm_thread *ksm_thread_create(void);

/*
 * The current thread's record, which is made if need be; NULL without memory, and where a signal handler has
 * interrupted the thread at its end or while it was getting one.
 */
struct ksm_thread *ksm_thread_obtain_at_once(void);

/*
 * The current thread's record, made if need be, for who frees: a thread that ends gets no second one for
 * what its last destructors free.
 */
struct ksm_thread *ksm_thread_obtain_to_free(void);

/* To be called after a change of labels or capturing. */
KSM_INLINE void ksm_thread_settle(struct ksm_thread *thread)
{
	thread->is_plain = !thread->labels && !thread->capturing && !thread->mark_in;
}

/* One of the next large blocks, the one of this number, is to be marked whatever it is; until then they come slowly. */
KSM_INLINE void ksm_thread_ask(struct ksm_thread *thread, uint32_t number)
{
	thread->mark_in = (uint8_t)number;
	ksm_thread_settle(thread);
}

/* A large block comes slowly: is it that one? Its site is recalled as ever, if no other one is to come slowly. */
KSM_INLINE bool ksm_thread_is_asked(struct ksm_thread *thread)
{
	if (!thread || ksm_likely(!thread->mark_in))
		return false;
	thread->mark_in--;
	ksm_thread_settle(thread);
	return !thread->mark_in;
}

/* Who has the lock. */
enum ksm_lock_holder ksm_thread_lock_holder(void);

void ksm_thread_prefork(void);
void ksm_thread_postfork_parent(void);
void ksm_thread_postfork_child(void);

#endif
