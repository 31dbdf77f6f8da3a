/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events: after which event two processes went apart, and how far that spread.
 *
 * What it is: in the shared layout a process remembers at which event it took which memory
 * (history.h). Pages are counted by that event: how many are equal, where the first one is that is
 * not, and how many others differ only because they point to what has moved there. An event whose
 * memory is equal again, after one where it is not, is where the difference was healed.
 *
 * What it is not: exact. Memory is taken in pieces, of half a MiB or more for small blocks, and the
 * first one of an arena has places of all size classes: what lies in a piece may have come about
 * after a later event that took none.
 *
 * Invariants: of each event differing = own + pulled, after ksr_events_finish(). A page that is
 * pulled is counted once, at the earliest event that its pointers lead to. The last event of the
 * list is none: it has the pages that no event took.
 *
 * Locking and owner: one thread; the comparison owns the events.
 *
 * Failure: -errno; where the first process has no history the comparison has no events, and that is
 * no failure.
 */
#ifndef KSR_PAGES_EVENTS_H
#define KSR_PAGES_EVENTS_H

#include "pages/place.h"
#include "pages/words.h"
#include "read/history.h"

struct ksr_event {
	uint64_t both;
	uint64_t equal;	    /* or with both contents elsewhere: would merge */
	uint64_t differing; /* the others */
	uint64_t own;	    /* of these, for a reason of their own */
	uint64_t pulled;    /* of these, only in pointers to memory of other events */
	uint64_t only_first;
	uint64_t only_second;
	uint64_t spread; /* pages of other events, or of none, that differ only in pointers to this
			    one's */
	uint32_t healed; /* the next event whose memory is equal; UINT32_MAX: none */
	/* The first page that differs for a reason of its own; 0: none was looked into. */
	uint64_t first_page;
	enum ksr_page_class first_class;
	/* Content that the other process has nowhere: of the most telling kind what lies first. */
	bool has_place;
	struct ksr_diff_place place;
	uint32_t place_row;
};

struct ksr_events {
	struct ksr_history histories[2];
	uint32_t *match;	/* moment of the second process -> of the first, or UINT32_MAX */
	struct ksr_event *list; /* one for each moment of the first process, and one for none */
	uint32_t count;
	uint32_t common; /* moments that both passed in the same order, from the start on */
	uint64_t looked; /* pairs of all events, of those that differ */
	uint64_t differing;
};

/* Of the two processes; *events becomes NULL where the first one has no history, and on failure. */
int ksr_events_create(const struct ksr_fs *fs, const struct ksr_space *const *spaces,
		      struct ksr_events **events);
/* NULL is none. */
void ksr_events_destroy(struct ksr_events *events);

/* All of these do nothing where events is NULL. */
/* A pair of pages, by its address in the first process, or a page that is in one process only. */
void ksr_events_add_pair(struct ksr_events *events, uint64_t address, bool would_merge);
void ksr_events_add_single(struct ksr_events *events, int which, uint64_t address);
/* A pair that was looked into. page is its content in the first process. */
void ksr_events_look(struct ksr_events *events, uint64_t address, const unsigned char *page,
		     const struct ksr_page_diff *result);
/* Is it in memory that an allocator of objects has for itself? */
bool ksr_events_is_header(const struct ksr_events *events, uint64_t address);
/* Would the place, at this address, be the one of its event? And takes it. */
bool ksr_events_want(const struct ksr_events *events, uint64_t address,
		     const struct ksr_diff_place *place);
void ksr_events_take(struct ksr_events *events, uint32_t row, const struct ksr_diff_place *place);
/* After all pages: scales what was found in those that were looked into. */
void ksr_events_finish(struct ksr_events *events);

/* The pages that would be equal without the event's own difference. */
uint64_t ksr_events_weight(const struct ksr_event *event);
/*
 * The events whose memory differs for a reason of its own or has pulled other pages, in the order
 * of time, those with most pages if they are more than most. The caller frees; NULL without memory
 * or events.
 */
uint32_t *ksr_events_worst(const struct ksr_events *events, size_t most, size_t *count);
/* The moment of an event; NULL for the last one. */
const struct ksr_moment *ksr_events_moment(const struct ksr_events *events, uint32_t event);
/* "start", "fork", "json/decoder.py": what has happened. Names may have any bytes; the emitter
 * cleans them. */
void ksr_events_name(const struct ksr_moment *moment, char *text, size_t bytes);
#define KSR_EVENT_NAME_BYTES (KSMALLOC_HISTORY_NAME + 32)
/*
 * What each of the two passed first after all that both passed: "nothing more", or a name. False where neither passed
 * anything more; and where they differ in all they passed but by no name, as in groups or seeds that are not the same,
 * whose hashes tell nothing of each other.
 */
bool ksr_events_parted(const struct ksr_events *events, char names[2][KSR_EVENT_NAME_BYTES]);

#endif
