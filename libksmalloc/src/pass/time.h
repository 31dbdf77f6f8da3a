/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * time: when the next pass is made.
 *
 * What it is: a while after the start, when the process has grown, when the store has changed or somebody asks, and else in
 * intervals that double as long as nothing is gained.
 * Where the option share_every_ms is set it is each time that so long has gone by, also in a process that grows.
 * What it is not: a clock that wakes anybody. Who comes by asks; a keeper is told by the segment.
 *
 * Locking: none; one thread at a time. Failure: none.
 */
#ifndef KSM_PASS_TIME_H
#define KSM_PASS_TIME_H

#include "base.h"
#include "store/store.h"

struct ksm_pass_time {
	uint64_t due_ms;
	uint64_t interval_ms;
	uint64_t grown_ms;   /* not before that one that has grown is due for it */
	uint64_t look_ms;    /* when to look whether the store has changed */
	uint64_t generation; /* of the store when this pass began, or the last one */
	uint64_t requests;   /* that were made when this pass began, or the last one */
	bool has_begun;	     /* a pass */
	bool was_asked;	     /* for this pass: there were fewer when the one before began, or that has failed */
	uint64_t useful_ms;  /* when a pass was of use last */
	uint64_t rest_ms;    /* not before that the process counts as resting again, */
	uint64_t pause_ms;   /* which was so long after files were given up */
	uint64_t size;	     /* of the process when the last pass began */
	uint64_t slices;     /* that this pass has looked at; the owner counts them */
};

void ksm_pass_time_init(struct ksm_pass_time *time);

/* A pass begins, in a process of so many bytes: true if it has grown by much since the last one. While the store is entered. */
bool ksm_pass_time_begin(struct ksm_pass_time *time, const struct ksm_store *store, uint64_t size);

/*
 * A pass has ended that has gained so many bytes, or was not to be. The next one is soon if it was of use, or if there is something to
 * look at soon (is_soon), which says nothing of whether the process rests; and else later.
 */
void ksm_pass_time_wait(struct ksm_pass_time *time, uint64_t gained, bool was_useful, bool is_soon);

/* The same, but it says nothing of the next one. */
void ksm_pass_time_wait_again(struct ksm_pass_time *time);

/*
 * True if there was little to gain for long before this pass, or somebody has asked for it: then it pays to put the store in order.
 * At the pass's end: where that has given up files it is not so again for a while, unless asked for, which doubles up to an hour until the
 * process has grown.
 */
bool ksm_pass_time_is_resting(const struct ksm_pass_time *time);
void ksm_pass_time_put_in_order(struct ksm_pass_time *time, bool has_given_up);

/* Milliseconds until the next look at whether the store has changed. */
uint64_t ksm_pass_time_until_look(const struct ksm_pass_time *time);

/*
 * In a process of so many bytes that waits for something; and in one that goes on to take memory. What is shared while data is
 * loaded is in part what the program frees soon, such as the text that it reads the data from, and then waste in
 * the store: a process that grows and never waits makes a pass now and then only.
 */
bool ksm_pass_time_is_due(struct ksm_pass_time *time, const struct ksm_store *store, uint64_t now, uint64_t size);
bool ksm_pass_time_is_due_growing(const struct ksm_pass_time *time, uint64_t now, uint64_t size);

#endif
