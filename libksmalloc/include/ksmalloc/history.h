/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The history: what has decided, in a process of the shared layout, where its memory lies.
 *
 * What it is: the layout of a list of events in the order in which they came about: an anchor was
 * passed, the process is the child of a fork, or memory of the region heap was taken. Memory that
 * was taken between two anchors belongs to the first of them, so that the report side can say at
 * which event two processes that should be equal went apart.
 *
 * What it is not: a part of the segment, which may be a file that others read. It lies in the
 * process's own memory, at an address that the segment's header names, and is read through
 * /proc/PID/mem by those who may read all other memory as well. And no log of all that a process
 * opens: a name comes once, and only the first few thousand of them do.
 *
 * Invariants: an event is complete when its kind is not 0; afterwards only the end of what was
 * taken changes, and only upwards. A forked child has its parent's events before its own.
 *
 * Failure: what does not fit is not kept, and the count says that there was more. The reader must treat each byte
 * as hostile.
 */
#ifndef KSMALLOC_HISTORY_H
#define KSMALLOC_HISTORY_H

#include <stdint.h>

#define KSMALLOC_HISTORY_MAGIC "KSMHIST" /* 8 bytes with its NUL */
#define KSMALLOC_HISTORY_EVENTS 6144u
#define KSMALLOC_HISTORY_NAME 48u /* bytes, with a NUL: the last components of a path */

enum ksmalloc_event_kind {
	KSMALLOC_EVENT_NONE,   /* not complete */
	KSMALLOC_EVENT_ANCHOR, /* name, and its hash with a secret of the group's */
	KSMALLOC_EVENT_FORK,
	KSMALLOC_EVENT_BLOCKS,	/* [begin, end) was taken for jemalloc's blocks; number is the
				   arena's */
	KSMALLOC_EVENT_OBJECTS, /* the same for objects of a runtime; number is the stream's */
};

struct ksmalloc_event {
	uint16_t kind; /* enum ksmalloc_event_kind. Synchronization: atomic, stored with release. */
	uint16_t number; /* of an anchor: the stream that it leads to */
	uint16_t thread; /* the ordinal of the thread among those of its depth, 65535 at most */
	uint16_t depth;	 /* of forks */
	union {
		struct {
			uint64_t hash;
			char name[KSMALLOC_HISTORY_NAME]; /* NUL terminated; empty: it is no text */
		};
		struct {
			uint64_t begin;
			uint64_t end; /* Synchronization: atomic */
		};
	};
};

struct ksmalloc_history {
	char magic[8];
	uint32_t stride;   /* bytes of an event */
	uint32_t capacity; /* events there is room for */
	uint32_t count; /* events so far; more than capacity where some had no room. Synchronization:
			   atomic. */
	uint32_t reserved[11];
	struct ksmalloc_event events[KSMALLOC_HISTORY_EVENTS];
};

#endif
