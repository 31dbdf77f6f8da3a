/* SPDX-License-Identifier: BSD-2-Clause */
#include "arena/anchor.h"

#include "arena/arena.h"
#include "arena/aside.h"
#include "layout/history.h"
#include "system/late.h"
#include "layout/layout.h"
#include "block/magazine.h"
#include "block/nursery.h"
#include "system/option.h"
#include "layout/span.h"
#include "segment/stat.h"
#include "layout/stream.h"
#include "site/thread.h"

#include <errno.h>
#include <ksmalloc/stream.h>
#include <string.h>

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

/* Where the last event leads; 0: none has been passed. Of the first thread. */
static uint64_t next_anchor;

/* The last one that was gone to; 0: none at this depth. */
static uint64_t last_anchor;

/* Names that were passed: a set of fingerprints. Synchronization: atomic; 0: free. */
#define NAMES 8192u
#define MOST_NAMES KSMALLOC_ANCHORS_APART
static uint32_t names[NAMES] KSM_SPARSE;
static uint32_t name_count;
static_assert(MOST_NAMES <= NAMES / 2, "a name is found soon");

/* Synchronization: written once, by ksm_anchor_follow(). */
static void (*follower)(void);

static bool is_used(void)
{
	return ksm_layout_is_shared() && !ksm_aside() && !ksm_late();
}

/* The thread is to go where anchor leads. All that allocate take the slow path until it has come by. */
static void become_due(uint64_t anchor)
{
	next_anchor = anchor;
	ksm_stream_self.is_due = true;
	__atomic_store_n(&ksm_gate.entry_threshold, 0, __ATOMIC_RELAXED);
	if (follower)
		follower();
}

static void open_gate(void)
{
	__atomic_store_n(&ksm_gate.entry_threshold,
			 __atomic_load_n(&ksm_gate.threshold, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

static void count_dropped(void)
{
	if (ksm_stat)
		ksm_stat_add(&ksm_stat->header.bounds.anchors_dropped_total, 1);
}

/* True for a name that was not passed before. Two that have one fingerprint count as one. */
static bool is_new(uint64_t hash)
{
	uint32_t fingerprint = (uint32_t)(hash >> 32) | 1;

	for (uint32_t i = (uint32_t)hash % NAMES;; i = (i + 1) % NAMES) {
		uint32_t found = __atomic_load_n(&names[i], __ATOMIC_RELAXED);

		if (found == fingerprint)
			return false;
		if (found == 0 && __atomic_load_n(&name_count, __ATOMIC_RELAXED) >= MOST_NAMES) {
			count_dropped();
			return false;
		}
		if (found == 0 && __atomic_compare_exchange_n(&names[i], &found, fingerprint, false, __ATOMIC_RELAXED,
							      __ATOMIC_RELAXED)) {
			__atomic_add_fetch(&name_count, 1, __ATOMIC_RELAXED);
			return true;
		}
	}
}

/* Programs open many files of code while they start, and seldom one of anything else. */
static bool is_of_code(const char *name, size_t length)
{
	static const char endings[][6] = { ".py", ".pyc", ".so", ".rb", ".pm", ".pl", ".lua", ".php", ".js" };

	for (unsigned int i = 0; i < KSM_COUNT_OF(endings); i++) {
		size_t bytes = strlen(endings[i]);

		if (length >= bytes && memcmp(name + length - bytes, endings[i], bytes) == 0)
			return true;
	}
	return memmem(name, length, ".so.", 4);
}

void ksm_anchor_pass(const void *name, size_t length, bool is_rare)
{
	uint64_t hash;

	if (!is_used() || !ksm_options.anchors || !ksm_stream_is_first())
		return;
	hash = XXH3_64bits_withSeed(name, length, ksm_layout_word(KSMALLOC_SEED_ANCHORS)) + ksm_stream_depth();
	if (!is_new(hash))
		return;
	hash = is_of_code(name, length) ? hash & ~KSMALLOC_ANCHOR_OF_DATA : hash | KSMALLOC_ANCHOR_OF_DATA;
	ksm_stream_self.is_due_rarely = is_rare;
	ksm_history_add_anchor(hash, ksm_stream_of_anchor(hash >> 1), name, length);
	become_due(hash | 1);
}

void ksm_anchor_leave_start(void)
{
	static const char name[] = "(arguments)";

	if (!is_used() || !ksm_options.anchors || !ksm_stream_is_first() || ksm_stream_depth() > 0 ||
	    ksm_stream_self.is_new_child || ksm_stream_self.has_left_start)
		return;
	ksm_stream_self.has_left_start = true;
	ksm_anchor_pass(name, sizeof(name) - 1, false);
}

bool ksm_anchor_pass_fork(void)
{
	if (!is_used())
		return false;
	ksm_history_add_fork();
	ksm_stream_self.is_new_child = true;
	become_due(0);
	return true;
}

static void enter_child(void)
{
	struct ksm_thread *thread = ksm_thread_self;

	/* Its magazines have runs of the parent's part. */
	if (thread) {
		ksm_magazine_retire(thread);
		thread->regrets = 0;
	}
	last_anchor = 0;
	ksm_stream_enter_child();
	ksm_nursery_deepen();
}

/* What others pay for while the thread that is due does not allocate. */
#define CALLS_OF_OTHERS 4096

void ksm_anchor_pass_by(void)
{
	static uint32_t calls;

	if (__atomic_load_n(&ksm_gate.entry_threshold, __ATOMIC_RELAXED) ==
		    __atomic_load_n(&ksm_gate.threshold, __ATOMIC_RELAXED) || ksm_late())
		return;
	if (__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) % CALLS_OF_OTHERS == 0)
		open_gate();
}

bool ksm_anchor_go(void)
{
	int saved_errno = errno;

	if (ksm_thread_self && ksm_thread_self->capturing)
		return false;
	/* Before anything that allocates. */
	ksm_stream_self.is_due = false;
	open_gate();
	if (ksm_stream_self.is_new_child)
		enter_child();
	if (next_anchor) {
		ksm_stream_self.stream = (uint16_t)ksm_stream_of_anchor(next_anchor >> 1);
		ksm_stream_self.is_rare = ksm_stream_self.is_due_rarely;
		last_anchor = next_anchor;
	}
	next_anchor = 0;
	ksm_arena_move_thread();
	errno = saved_errno;
	return true;
}

uint64_t ksm_anchor_last(void)
{
	return ksm_stream_is_first() ? last_anchor : 0;
}

int ksm_anchor_follow(void (*moved)(void))
{
	if (!is_used())
		return -ENOTSUP;
	if (follower)
		return -EBUSY;
	follower = moved;
	return 0;
}
