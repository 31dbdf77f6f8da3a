/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch: samples, taken in the background.
 *
 * What it is: a thread with a reader of its own, so that no process that holds its memory locked, and no large one, keeps
 * keys from being answered.
 * What it is not: a queue: who does not take a sample gets the next one instead.
 * Invariants: the thread has all signals blocked that the caller has.
 * Locking and owner: the watch belongs to one thread, which alone may call these. What both threads use is behind its
 * mutex; readers, places and symbols are used by its thread alone.
 * Failure: -errno. A thread that the kernel does not let go on is left alone by ksr_top_watch_end().
 */
#ifndef KSR_TOP_WATCH_H
#define KSR_TOP_WATCH_H

#include "join/collect.h"
#include "names/symbols.h"
#include "top/sample.h"

struct ksr_top_watch;

struct ksr_top_wishes {
	uint64_t interval_ms;
	bool paused;
	bool places;
};

/* fs, selection and naming must live until the process ends. */
int ksr_top_watch_begin(const struct ksr_fs *fs, const struct ksr_selection *selection,
			const struct ksr_naming *naming, const struct ksr_top_wishes *wishes, struct ksr_top_watch **result);
void ksr_top_watch_end(struct ksr_top_watch *watch);
/* Of a descriptor that can be read when there is a sample. */
int ksr_top_watch_fd(const struct ksr_top_watch *watch);
/* The newest sample, which is the caller's then; NULL if there is none that was not taken before. */
struct ksr_top_sample *ksr_top_watch_take(struct ksr_top_watch *watch);
/* Other wishes are followed at once. */
void ksr_top_watch_wish(struct ksr_top_watch *watch, const struct ksr_top_wishes *wishes);

#endif
