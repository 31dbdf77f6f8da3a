/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream: which memory the current thread's new blocks come from, in the shared layout.
 *
 * What it is: numbers, and nothing else, that equal processes of a group have in common. A *depth* is
 * the count of forks since the program was started. A *lane* is a thread's ordinal among those that were
 * started at this depth. Depth and lane make the *part*, which has slots, nursery, magazines and
 * stretches of both regions of its own. A *stream* is what small blocks come from: each part has one, and
 * the first thread of a depth has more of them, among which its anchors choose (anchor.h).
 * What it is not: memory. region, arena and span know what belongs to a number.
 *
 * Invariants: in the private layout all of these are 0.
 * Locking: none. The depth is written by the only thread of a child; the rest is the thread's own.
 */
#ifndef KSM_STREAM_H
#define KSM_STREAM_H

#include "base.h"
#include "layout/layout.h"

#include <ksmalloc/segment.h>

#define KSM_LANES KSMALLOC_THREADS_APART
#define KSM_DEPTHS (KSMALLOC_FORKS_APART + 1) /* deeper children share the last */
#define KSM_PARTS (KSM_LANES * KSM_DEPTHS)
#define KSM_ANCHORED 256u /* streams of a depth's first thread, besides its part's */
#define KSM_STREAMS (KSM_PARTS + KSM_ANCHORED * KSM_DEPTHS)
/* An arena of jemalloc takes more than a few objects do, so that anchored streams share fewer of them. */
#define KSM_ARENAS_ANCHORED 32u
#define KSM_ARENAS (KSM_PARTS + KSM_ARENAS_ANCHORED * KSM_DEPTHS)

/* Small: all static TLS of the library has to fit what the loader has left for dlopen. */
struct ksm_stream_state {
	uint32_t ordinal; /* of the thread: 0 for the first of a process or child */
	uint16_t stream;
	bool is_first : 1; /* the thread that the process or child began with: it passes anchors */
	bool is_due : 1;   /* it is to go to another stream: ksm_anchor_go() is to follow */
	bool is_new_child : 1; /* and to a greater depth */
	bool is_rare : 1;      /* its stream is that of an anchor that there are few of */
	bool is_due_rarely : 1; /* and so is the one that it is to go to */
	bool has_left_start : 1; /* what it began with is not used again: ksm_anchor_leave_start() */
};

extern __thread struct ksm_stream_state ksm_stream_self
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Of the process. Synchronization: relaxed atomic; written while there is one thread. */
extern uint32_t ksm_stream_depth_now __attribute__((visibility("hidden")));

KSM_INLINE uint32_t ksm_stream_depth(void)
{
	return __atomic_load_n(&ksm_stream_depth_now, __ATOMIC_RELAXED);
}

/* The part of the process that the thread with this ordinal belongs to. */
KSM_INLINE uint32_t ksm_stream_part_of(uint32_t ordinal)
{
	return ksm_layout_is_shared() ? ksm_stream_depth() * KSM_LANES + ordinal % KSM_LANES : 0;
}

/* The part of the current thread. */
KSM_INLINE uint32_t ksm_stream_part(void)
{
	return ksm_stream_part_of(ksm_stream_self.ordinal);
}

/* The depth of a child of this process. */
KSM_INLINE uint32_t ksm_stream_depth_of_child(void)
{
	return (uint32_t)ksm_min(ksm_stream_depth() + 1, KSM_DEPTHS - 1);
}

/* The same as a thread's part for what is mapped: a new child may map memory where it may not enter yet. */
KSM_INLINE uint32_t ksm_stream_part_to_map(void)
{
	if (ksm_unlikely(ksm_stream_self.is_new_child) && ksm_layout_is_shared())
		return ksm_stream_depth_of_child() * KSM_LANES;
	return ksm_stream_part();
}

/* The stream of the current thread. */
KSM_INLINE uint32_t ksm_stream_now(void)
{
	return ksm_stream_self.stream;
}

/* True if the current thread is to go to another stream before it allocates: ksm_fork_go(). */
KSM_INLINE bool ksm_stream_is_due(void)
{
	return ksm_unlikely(ksm_stream_self.is_due);
}

/* True for the thread that the process, or the child of a fork, began with. */
KSM_INLINE bool ksm_stream_is_first(void)
{
	return ksm_stream_self.is_first;
}

/* The number of the current thread among those of its process, in the order in which they were created. */
KSM_INLINE uint32_t ksm_stream_ordinal(void)
{
	return ksm_stream_self.ordinal;
}

/* The stream that an anchor with this hash leads the first thread to. */
KSM_INLINE uint32_t ksm_stream_of_anchor(uint64_t hash)
{
	return KSM_PARTS + ksm_stream_depth() * KSM_ANCHORED + (uint32_t)(hash % KSM_ANCHORED);
}

/*
 * The stream that takes a stream's place where a thread has count of them, a power of two: that of a part is
 * the first of those among which its anchors choose.
 */
KSM_INLINE uint32_t ksm_stream_among(uint32_t stream, uint32_t count)
{
	uint32_t anchored = stream - KSM_PARTS;

	if (stream < KSM_PARTS)
		return stream % KSM_LANES ? stream : KSM_PARTS + stream / KSM_LANES * KSM_ANCHORED;
	return KSM_PARTS + anchored / KSM_ANCHORED * KSM_ANCHORED + anchored % KSM_ANCHORED % count;
}

/*
 * The part whose memory a stream, or an arena, takes when it has used up its own; a depth has so many that are
 * anchored.
 */
KSM_INLINE uint32_t ksm_stream_part_behind(uint32_t number, uint32_t anchored)
{
	return number < KSM_PARTS ? number : (number - KSM_PARTS) / anchored * KSM_LANES;
}

/* The next thread's ordinal; for who creates one. */
uint32_t ksm_stream_next_ordinal(void);

/* A new thread's first call. */
void ksm_stream_start_thread(uint32_t ordinal);

/* The only thread of a child is the first one of a greater depth from now on. */
void ksm_stream_enter_child(void);

#endif
