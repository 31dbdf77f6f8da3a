/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pace: when a process is worth being stopped for a pass, and how long it runs between two stops.
 *
 * What it is: looks at what the process uses, from outside and without stopping it, and the rule that makes of them
 * whether a pass is due. A process that loads its data is left alone until it has loaded it, which is so at once where it
 * rests; afterwards what is new is counted, since a store's pages are not anonymous memory any more and a page that was
 * written to is again. What others have published is a reason for a pass, as long as such passes gain something.
 *
 * Invariants: in passes that gain nothing a process stands at most a hundredth of the time, whatever the rest of the rule
 * says, but for one when others have published something. A pass that is due comes, at the latest after the patience has
 * ended, also where the process is never idle and never stops growing. Between two stops a process that is
 * busy for a quarter of the time runs fifty times as long as it stood, one that rests as long, and others for a time between.
 *
 * Locking and owner: one thread; one state for each process, which a new program in it does not inherit.
 *
 * Failure: none, but for the look itself.
 */
#ifndef KSR_KEEPER_PACE_H
#define KSR_KEEPER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "keeper/image.h"

struct ksr_look {
	uint64_t now_ns; /* ksr_clock_ns() */
	struct ksr_image_usage usage;
};

struct ksr_pace {
	struct ksr_look last;
	uint64_t quiet_since_ns; /* it has not grown since then */
	uint64_t quiet_pages; /* what it had then */
	uint64_t still_since_ns; /* it has not run since then */
	uint64_t wanted_since_ns; /* 0 while there is nothing to be gained */
	uint64_t passed_ns; /* the end of the last pass, or the first look */
	uint64_t passed_pages; /* what was left after it */
	uint64_t interval_ns; /* between passes where nothing grew */
	uint64_t earliest_ns;
	uint64_t news_ns; /* between passes by news, while they gain nothing; 0 after one that did */
	bool has_news;
	bool passed; /* there was one */
	bool has_shared; /* one has changed something: little is left of it since then, and that counts */
};

void ksr_pace_begin(struct ksr_pace *pace, const struct ksr_look *look);

/* To be asked some times a second or less often. */
bool ksr_pace_is_due(struct ksr_pace *pace, const struct ksr_look *look);

/* After a pass, whoever has made it. changed_pages: gained, published or left. */
void ksr_pace_passed(struct ksr_pace *pace, const struct ksr_look *look, uint64_t changed_pages, uint64_t stood_ns);

/* After one that was given up: nothing was gained, and the next moment will not be better. */
void ksr_pace_refused(struct ksr_pace *pace, const struct ksr_look *look, uint64_t stood_ns);

/* Others have published what it may have, too: the next pass does not wait for its time. */
void ksr_pace_news(struct ksr_pace *pace);

/* How long it has not run, as of the last look. */
uint64_t ksr_pace_still_ns(const struct ksr_pace *pace);

/* The time from the end of a stop to the next one, after it stood so long and has run so long since. */
uint64_t ksr_pace_pause(uint64_t stood_ns, uint64_t ran_ns);

#endif
