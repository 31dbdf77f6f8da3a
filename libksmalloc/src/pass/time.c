/* SPDX-License-Identifier: BSD-2-Clause */
#include "pass/time.h"

#include "store/offer.h"
#include "system/option.h"
#include "os/os.h"

#define WORTH	     64u   /* of the process one in so many bytes: the next pass is soon */
#define FIRST_MS     200
#define SHORTEST_MS  100   /* after a pass that was of use, until one is not */
#define USEFUL_MS    2u    /* the same for each slice that it looked at */
#define GROWING_MS   10000 /* the same in a process that grows: what it has is not complete yet, and some of it soon gone */
#define LONGEST_MS   64000
#define SLICE_MS     10u   /* for each slice that a pass looked at in vain: it takes less than a twentieth of that */
#define LONGEST_LOOK 8000  /* between two looks at whether the store has changed */
#define LOOKS	     8u    /* that are made until a pass is due by itself: they cost nothing */
#define LEAST_GROWTH (8 * KSM_MIB)
#define RESTING_MS   16000 /* since a pass was of use */
#define LONGEST_REST 3600000 /* after files were given up because of it, until that may be so again */

void ksm_pass_time_init(struct ksm_pass_time *time)
{
	time->interval_ms = SHORTEST_MS;
	time->useful_ms = ksm_os_now_ms();
	time->due_ms = ksm_os_now_ms() + (ksm_options.share_every_ms ? ksm_options.share_every_ms : FIRST_MS);
	time->grown_ms = ksm_os_now_ms() + GROWING_MS;
	ksm_offer_note_due(time->due_ms);
}

bool ksm_pass_time_begin(struct ksm_pass_time *time, const struct ksm_store *store, uint64_t size)
{
	bool has_grown = size > time->size + time->size / 8;

	/* What others were asked before this process came is none of its business. */
	time->was_asked |= time->has_begun && time->requests != ksm_store_requests(store);
	time->has_begun = true;
	time->requests = ksm_store_requests(store);
	/* What is published from now on may belong to slices that the pass has left behind by then. */
	time->generation = ksm_store_generation(store);
	time->size = size;
	time->slices = 0;
	if (has_grown)
		time->pause_ms = time->rest_ms = 0;
	return has_grown;
}

uint64_t ksm_pass_time_until_look(const struct ksm_pass_time *time)
{
	return ksm_min(ksm_max(time->interval_ms / LOOKS, SHORTEST_MS), LONGEST_LOOK);
}

bool ksm_pass_time_is_resting(const struct ksm_pass_time *time)
{
	uint64_t now = ksm_os_now_ms();

	return time->was_asked || (now - time->useful_ms >= RESTING_MS && now >= time->rest_ms);
}

void ksm_pass_time_put_in_order(struct ksm_pass_time *time, bool has_given_up)
{
	if (has_given_up && ksm_pass_time_is_resting(time)) {
		time->pause_ms = ksm_min(ksm_max(2 * time->pause_ms, RESTING_MS), LONGEST_REST);
		time->rest_ms = ksm_os_now_ms() + time->pause_ms;
	}
	time->was_asked = false;
}

static void wait_for(struct ksm_pass_time *time, uint64_t interval_ms)
{
	uint64_t now = ksm_os_now_ms();

	time->interval_ms = ksm_options.share_every_ms ? ksm_options.share_every_ms : ksm_min(interval_ms, LONGEST_MS);
	time->due_ms = now + time->interval_ms;
	time->grown_ms = now + GROWING_MS;
	time->look_ms = now + ksm_pass_time_until_look(time);
	ksm_offer_note_due(time->due_ms);
}

void ksm_pass_time_wait(struct ksm_pass_time *time, uint64_t gained, bool was_useful, bool is_soon)
{
	was_useful = was_useful || gained > time->size / WORTH;
	if (was_useful)
		time->useful_ms = ksm_os_now_ms();
	wait_for(time, was_useful || is_soon ? ksm_max(SHORTEST_MS, time->slices * USEFUL_MS) :
					       ksm_max(2 * time->interval_ms, time->slices * SLICE_MS));
}

void ksm_pass_time_wait_again(struct ksm_pass_time *time)
{
	wait_for(time, time->interval_ms);
}

/* True if the store has other files than at the last pass, or somebody asks for one. */
static bool is_changed(struct ksm_pass_time *time, const struct ksm_store *store, uint64_t now)
{
	if (now < time->look_ms)
		return false;
	time->look_ms = now + ksm_pass_time_until_look(time);
	return ksm_store_is_changed(store, time->generation, time->requests);
}

static bool has_grown_by_much(const struct ksm_pass_time *time, uint64_t now, uint64_t size)
{
	return now >= time->grown_ms && size > time->size + ksm_max(LEAST_GROWTH, time->size / 2);
}

bool ksm_pass_time_is_due(struct ksm_pass_time *time, const struct ksm_store *store, uint64_t now, uint64_t size)
{
	return now >= time->due_ms || is_changed(time, store, now) || has_grown_by_much(time, now, size);
}

bool ksm_pass_time_is_due_growing(const struct ksm_pass_time *time, uint64_t now, uint64_t size)
{
	return ksm_options.share_every_ms ? now >= time->due_ms : has_grown_by_much(time, now, size);
}
