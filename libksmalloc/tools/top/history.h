/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * history: what rows have saved before.
 *
 * What it is: for each key the last values, one a sample, as long as the command runs.
 * What it is not: a clock: values stand for samples, however far apart these were.
 * Invariants: a key that has had no value for KSR_TOP_KEPT samples is forgotten, so that a thousand processes that come
 * and go leave nothing. Pointers hold until the next ksr_top_histories_add().
 * Locking and owner: the histories are the caller's.
 * Failure: without memory a key has no history.
 */
#ifndef KSR_TOP_HISTORY_H
#define KSR_TOP_HISTORY_H

#include "base.h"

#define KSR_TOP_POINTS 240
#define KSR_TOP_KEPT 120

struct ksr_top_history {
	uint64_t key;
	uint64_t last; /* the sample of the newest value */
	uint32_t count;
	uint32_t next;
	uint64_t values[KSR_TOP_POINTS]; /* a ring */
};

struct ksr_top_histories {
	struct ksr_top_history *items; /* by ascending key */
	size_t count;
	size_t room;
};

/* A second value of one sample takes the place of the first. */
void ksr_top_histories_add(struct ksr_top_histories *histories, uint64_t key, uint64_t sample, uint64_t value);
/* NULL if there is none. */
const struct ksr_top_history *ksr_top_histories_find(const struct ksr_top_histories *histories, uint64_t key);
void ksr_top_histories_forget(struct ksr_top_histories *histories, uint64_t sample);
void ksr_top_histories_free(struct ksr_top_histories *histories);
/* The value so many samples before the newest one; false where there is none. */
bool ksr_top_history_get(const struct ksr_top_history *history, uint32_t ago, uint64_t *value);

#endif
