/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ksmd goes round through all pages that were offered to it. At its first visit a page is remembered, at the second one
 * it may merge if it was not written meanwhile; so what is new is done after two rounds. How long a round takes follows
 * from the pages that ksmd knows and its pace.
 */
#define _GNU_SOURCE
#include "judge/outlook.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "join/aside.h"
#include "join/store.h"
#include "names/human.h"
#include "read/clock.h"

/* Of a visit, without what is compared: it matters only where ksmd hardly sleeps. */
#define VISIT_NS 1500
/* What ksmd has not met, as a part of all: less is the difference between two clocks. Also what is not worth a line. */
#define PART 50
/* A store's pass that is due later than this is one after passes that gained nothing. */
#define SOON_MS 2000
/* One that is late by more waits for something else than the time: a process that never rests, or a keeper. */
#define LATE_MS 10000
/* After a pass that was of use the next one is made so soon, and later for each slice that it looked at (the library's pass_time). */
#define PAUSE_MS 100
#define PAUSE_MS_OF_SLICE 2

const char *ksr_engine_key(enum ksr_engine_state state)
{
	static const char *const keys[] = {
#define KEY(name, key) key,
		KSR_ENGINE_STATES(KEY)
#undef KEY
	};

	return keys[state];
}

static uint64_t known(uint64_t value)
{
	return value == KSR_NONE ? 0 : value;
}

uint64_t ksr_round_seconds(const struct ksr_kernel *kernel, uint64_t page_bytes, uint64_t more)
{
	uint64_t pages = known(kernel->pages_shared) + known(kernel->pages_sharing) + known(kernel->pages_unshared) +
			 known(kernel->pages_volatile) + more / page_bytes;
	double step;

	if (kernel->pages_to_scan == KSR_NONE || kernel->sleep_millisecs == KSR_NONE || kernel->pages_to_scan == 0)
		return KSR_NONE;
	step = (double)kernel->sleep_millisecs / 1000 + (double)kernel->pages_to_scan * VISIT_NS / 1e9;
	return (uint64_t)((double)pages / (double)kernel->pages_to_scan * step + 0.999);
}

/* --- KSM ------------------------------------------------------------------------------- */

static void say_done_in(struct ksr_engine *engine, const char *what)
{
	char time[KSR_TIME_BYTES];

	engine->state = KSR_ENGINE_WORKING;
	if (engine->seconds == KSR_NONE) {
		snprintf(engine->text, sizeof(engine->text), "KSM is at work: %s.", what);
		return;
	}
	ksr_human_seconds(engine->seconds, time);
	snprintf(engine->text, sizeof(engine->text), "KSM is at work: %s; done in about %s at its present pace.", what,
		 time);
}

static void outlook_of_visits(const struct ksr_report *report, const struct ksr_balance *total, struct ksr_engine *engine)
{
	const struct ksr_kernel *kernel = &report->kernel;
	uint64_t unmet = total->has_visited ? ksr_less(total->mergeable, total->visited) : 0;
	uint64_t round = ksr_round_seconds(kernel, report->page_bytes, unmet);
	uint64_t scans = known(kernel->full_scans);
	uint64_t all = known(kernel->pages_shared) + known(kernel->pages_sharing) + known(kernel->pages_unshared) +
		       known(kernel->pages_volatile);
	char bytes[KSR_HUMAN_BYTES];
	char what[128];

	engine->seconds = round == KSR_NONE ? KSR_NONE : 2 * round;
	ksr_human_bytes(unmet, bytes);
	if (unmet > total->mergeable / PART) {
		snprintf(what, sizeof(what), "it has not met %s of what it may merge", bytes);
		say_done_in(engine, what);
	} else if (scans < 2) {
		say_done_in(engine, "it has not gone round twice yet");
	} else if (known(kernel->pages_volatile) > all / PART) {
		engine->seconds = round;
		ksr_human_bytes(kernel->pages_volatile * report->page_bytes, bytes);
		snprintf(what, sizeof(what), "%s of the machine's memory were new or changed at their last visit", bytes);
		say_done_in(engine, what);
	} else {
		engine->state = KSR_ENGINE_DONE;
		engine->seconds = 0;
		snprintf(engine->text, sizeof(engine->text), "KSM is done: it has tried all that it may merge.");
	}
}

static void outlook_of_merging(const struct ksr_report *report, const struct ksr_balance *total,
			       struct ksr_engine *engine)
{
	engine->seconds = KSR_NONE;
	if (!report->kernel.present) {
		engine->state = KSR_ENGINE_MISSING;
		snprintf(engine->text, sizeof(engine->text), "This kernel has no KSM.");
	} else if (report->kernel.run != 1) {
		engine->state = KSR_ENGINE_STOPPED;
		snprintf(engine->text, sizeof(engine->text), "KSM does not run.");
	} else if (total->mergeable == 0) {
		engine->state = KSR_ENGINE_UNUSED;
		snprintf(engine->text, sizeof(engine->text), "KSM runs, and none of this memory is offered to it.");
	} else {
		outlook_of_visits(report, total, engine);
	}
}

/* --- stores ------------------------------------------------------------------------------ */

struct passes {
	uint64_t sharing;
	uint64_t aside;
	uint64_t due;	/* a pass, soon */
	uint64_t first; /* of these, the first one */
	uint64_t next_ms; /* until the next one that is due, of those that are not */
	uint64_t work_ms; /* until all that are due have made it */
	uint64_t look_ms; /* until all have looked once more; both without how long that takes */
	uint64_t late_ms; /* that the one that is due for longest waits */
	uint64_t pass_ms; /* that a pass takes, and the pause behind it: the longest; 0: not known */
	bool is_timed;	  /* of all of them it is known when they look next */
};

/* How long passes of this process take in the mean, with the pause behind one that was of use. */
static uint64_t pass_ms_of(const struct ksmalloc_share_stats *stats)
{
	uint64_t passes = stats->passes_total;

	if (passes == 0)
		return 0;
	return stats->work_us_total / passes / 1000 + ksm_max(PAUSE_MS, stats->slices_total / passes * PAUSE_MS_OF_SLICE);
}

static void count_times(const struct ksmalloc_segment_header *header, uint64_t now_ms, bool is_due, struct passes *passes)
{
	uint64_t due_ms = header->keeper.due_ms;

	if (due_ms == 0 || now_ms == 0) {
		passes->is_timed = false;
		return;
	}
	passes->look_ms = ksm_max(passes->look_ms, ksr_less(due_ms, now_ms));
	if (is_due)
		passes->work_ms = ksm_max(passes->work_ms, ksr_less(due_ms, now_ms));
	passes->late_ms = ksm_max(passes->late_ms, ksr_less(now_ms, due_ms));
	passes->pass_ms = ksm_max(passes->pass_ms, pass_ms_of(&header->share.stats));
}

static void count_passes(const struct ksr_report *report, uint64_t now_ms, struct passes *passes)
{
	*passes = (struct passes){.next_ms = KSR_NONE, .is_timed = true};
	for (size_t i = 0; i < report->process_count; i++) {
		const struct ksmalloc_segment_header *header = &report->processes[i].snapshot.header;
		uint64_t due_ms = header->keeper.due_ms;
		uint64_t due = passes->due;

		if (!ksr_store_is_asked(header))
			continue;
		passes->aside += ksr_store_is_aside(header);
		if (ksr_store_is_aside(header))
			continue;
		passes->sharing++;
		if (header->share.stats.passes_total == 0) {
			passes->first++;
			passes->due++;
		} else if (now_ms && due_ms < now_ms + SOON_MS) {
			passes->due++;
		} else if (now_ms && due_ms) {
			passes->next_ms = ksm_min(passes->next_ms, due_ms - now_ms);
		}
		count_times(header, now_ms, passes->due > due, passes);
	}
}

/* After so many milliseconds come so many passes; KSR_NONE where nothing tells when, or how long they take. */
static uint64_t seconds_of(const struct passes *passes, uint64_t wait_ms, uint64_t count)
{
	if (!passes->is_timed || passes->pass_ms == 0 || passes->late_ms > LATE_MS)
		return KSR_NONE;
	return (wait_ms + count * passes->pass_ms) / 1000 + 1;
}

uint64_t ksr_sharing_seconds(const struct ksr_report *report)
{
	struct passes passes;

	count_passes(report, ksr_clock_ms(), &passes);
	return passes.sharing ? seconds_of(&passes, passes.look_ms, 1) : KSR_NONE;
}

/* A pass that gains something is followed by one that finds nothing more, and what one process finds another one takes. */
static void say_at_work(const struct passes *passes, struct ksr_engine *engine)
{
	char time[KSR_TIME_BYTES] = "";

	engine->state = KSR_ENGINE_WORKING;
	engine->seconds = seconds_of(passes, passes->work_ms, 2);
	if (engine->seconds != KSR_NONE)
		ksr_human_seconds(engine->seconds, time);
	snprintf(engine->text, sizeof(engine->text), "Sharing is at work: %" PRIu64 " of %" PRIu64 " processes look for equal "
		 "memory when they rest next%s%s%s.", passes->due, passes->sharing,
		 passes->first == passes->due ? ", for the first time" : "", time[0] ? "; done in about " : "", time);
}

static void outlook_of_sharing(const struct ksr_report *report, bool is_live, struct ksr_engine *engine)
{
	char time[KSR_TIME_BYTES];
	struct passes passes;

	count_passes(report, is_live ? ksr_clock_ms() : 0, &passes);
	engine->seconds = KSR_NONE;
	engine->text[0] = '\0';
	if (passes.sharing + passes.aside == 0) {
		engine->state = KSR_ENGINE_MISSING;
	} else if (passes.sharing == 0) {
		engine->state = KSR_ENGINE_UNUSED;
		if (passes.aside == 1)
			snprintf(engine->text, sizeof(engine->text), "The process that is to share does not.");
		else
			snprintf(engine->text, sizeof(engine->text), "Of the %" PRIu64 " processes that are to share none does.",
				 passes.aside);
	} else if (passes.due) {
		say_at_work(&passes, engine);
	} else {
		engine->state = KSR_ENGINE_DONE;
		engine->seconds = 0;
		ksr_human_seconds(passes.next_ms == KSR_NONE ? 0 : passes.next_ms / 1000, time);
		snprintf(engine->text, sizeof(engine->text), "Sharing is done: the last looks have found nothing more%s%s.",
			 passes.next_ms == KSR_NONE ? "" : "; the next one is in ", passes.next_ms == KSR_NONE ? "" : time);
	}
}

/* --- what else --------------------------------------------------------------------------- */

static struct ksr_proposal *propose(struct ksr_outlook *outlook, uint64_t bytes)
{
	struct ksr_proposal *proposal = &outlook->proposals[outlook->proposal_count];

	if (outlook->proposal_count == KSR_PROPOSALS_MOST || bytes == 0)
		return NULL;
	outlook->proposal_count++;
	proposal->bytes = bytes;
	return proposal;
}

/* The one group that the processes are of, or a word that stands for a name. */
static const char *group_name(const struct ksr_balances *balances)
{
	const char *name = balances->count ? balances->kinds[0].group : "";

	for (size_t i = 0; i < balances->count; i++) {
		if (strcmp(balances->kinds[i].group, name) != 0)
			return "GROUP";
	}
	return name[0] ? name : "GROUP";
}

/* Which memory of processes of a kind is asked for. */
typedef uint64_t measure(const struct ksr_kind *kind);

static uint64_t own_of(const struct ksr_kind *kind)
{
	return kind->balance.own;
}

static uint64_t for_ksm_of(const struct ksr_kind *kind)
{
	return kind->balance.for_ksm;
}

static uint64_t own_in_private_layout(const struct ksr_kind *kind)
{
	return kind->layout == KSMALLOC_LAYOUT_PRIVATE ? kind->balance.own : 0;
}

/* Processes of a kind are alike, others are not: as the reasons of ksmalloc-why(1) count. */
static uint64_t saved_at_most(const struct ksr_balances *balances, measure *of)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < balances->count; i++)
		sum += ksr_saved_at_most(of(&balances->kinds[i]), balances->kinds[i].balance.processes);
	return sum;
}

static void propose_engine(const struct ksr_report *report, const struct ksr_balances *balances,
			   struct ksr_outlook *outlook)
{
	struct ksr_proposal *proposal;

	if (outlook->merging.state != KSR_ENGINE_STOPPED || !report->kernel.present)
		return;
	proposal = propose(outlook, saved_at_most(balances, for_ksm_of));
	if (!proposal)
		return;
	snprintf(proposal->text, sizeof(proposal->text), "KSM does not run, and may merge this memory");
	snprintf(proposal->command, sizeof(proposal->command), "ksmalloc doctor --fix (as root)");
}

/* Processes with threads that a keeper has made passes in before: it may be there, and late, or have ended. */
static void propose_keeper(const struct ksr_balances *balances, uint64_t processes, struct ksr_proposal *proposal)
{
	snprintf(proposal->text, sizeof(proposal->text), "for some minutes no keeper has looked at %" PRIu64 " process%s with "
		 "several threads", processes, processes == 1 ? "" : "es");
	snprintf(proposal->command, sizeof(proposal->command), "ksmalloc share %s (it looks at once, or this says why not)",
		 group_name(balances));
}

/* A process that has its group for itself has nobody to share with, whatever else is in the way. */
static bool is_alone(const struct ksr_balances *balances, const struct ksmalloc_segment_header *header)
{
	uint64_t members = 0;

	for (size_t i = 0; i < balances->count; i++) {
		const struct ksr_kind *kind = &balances->kinds[i];

		if (kind->layout == header->layout && strcmp(kind->group, header->group) == 0)
			members += kind->balance.processes;
	}
	return members == 1;
}

/* Processes that stand aside, by the reason that most have. */
static void propose_aside(const struct ksr_report *report, const struct ksr_balances *balances, struct ksr_outlook *outlook)
{
	uint64_t processes[KSMALLOC_ASIDE_COUNT] = {0};
	uint64_t bytes[KSMALLOC_ASIDE_COUNT] = {0};
	uint32_t worst = 0;
	uint64_t served = 0; /* of those with threads */
	struct ksr_proposal *proposal;

	for (size_t i = 0; i < report->process_count; i++) {
		const struct ksmalloc_segment_header *header = &report->processes[i].snapshot.header;
		uint32_t reason = ksm_min(header->share.aside, (uint32_t)KSMALLOC_ASIDE_FAILED);

		if (!ksr_store_is_asked(header) || !ksr_store_is_aside(header) || is_alone(balances, header))
			continue;
		processes[reason]++;
		served += reason == KSMALLOC_ASIDE_THREADS && header->share.stats.passes_total;
		for (size_t k = 0; k < report->processes[i].smaps.count; k++)
			bytes[reason] += report->processes[i].smaps.vmas[k].anonymous;
		if (bytes[reason] > bytes[worst])
			worst = reason;
	}
	proposal = propose(outlook, bytes[worst]);
	if (!proposal)
		return;
	if (worst == KSMALLOC_ASIDE_THREADS && served == processes[worst]) {
		propose_keeper(balances, served, proposal);
		return;
	}
	if (processes[worst] == 1)
		snprintf(proposal->text, sizeof(proposal->text), "a process that stands aside %s", ksr_aside_words(worst));
	else
		snprintf(proposal->text, sizeof(proposal->text), "each of %" PRIu64 " processes that stand aside %s",
			 processes[worst], ksr_aside_words(worst));
	snprintf(proposal->command, sizeof(proposal->command), "%s",
		 ksr_aside_remedy(worst)[0] ? ksr_aside_remedy(worst) : "ksmalloc doctor");
}

/* Groups of several processes without the shared layout, or without a store where nothing merges. */
static void propose_layout(const struct ksr_balances *balances, struct ksr_outlook *outlook)
{
	const char *group = group_name(balances);
	struct ksr_proposal *proposal = propose(outlook, saved_at_most(balances, own_in_private_layout));

	if (!proposal)
		return;
	snprintf(proposal->text, sizeof(proposal->text),
		 "with equal addresses memory that is full of pointers is equal, too, and can be shared without KSM");
	snprintf(proposal->command, sizeof(proposal->command), "ksmalloc run --share --group=%s -- PROGRAM "
		 "('ksmalloc estimate %s' says what that would give)", group, group);
}

/* Pages of stores that no process has any more: the processes see that when they look next. */
static void propose_looking(const struct ksr_report *report, const struct ksr_balances *balances,
			    struct ksr_outlook *outlook)
{
	uint64_t bytes = ksr_store_forgotten(report);
	struct ksr_proposal *proposal = bytes > balances->total.needs / PART ? propose(outlook, bytes) : NULL;

	if (!proposal)
		return;
	snprintf(proposal->text, sizeof(proposal->text), "pages of the store that no process has any more");
	snprintf(proposal->command, sizeof(proposal->command), "ksmalloc share %s", group_name(balances));
}

static void propose_why(const struct ksr_balances *balances, struct ksr_outlook *outlook)
{
	struct ksr_proposal *proposal = propose(outlook, saved_at_most(balances, own_of));

	if (!proposal)
		return;
	snprintf(proposal->text, sizeof(proposal->text), "if all that is neither merged nor shared was equal; page by page, "
		 "why it is not");
	snprintf(proposal->command, sizeof(proposal->command), "ksmalloc why %s", group_name(balances));
}

static void find_hopeless(const struct ksr_report *report, const struct ksr_balances *balances,
			  struct ksr_outlook *outlook)
{
	const struct ksr_engine *merging = &outlook->merging;
	const struct ksr_engine *sharing = &outlook->sharing;
	const char *why = NULL;

	/* KSM merges pages of one process, too, if few. */
	if (balances->total.processes == 1 && merging->state != KSR_ENGINE_WORKING && merging->state != KSR_ENGINE_DONE &&
	    ksr_balance_saved(&balances->total) == 0) {
		outlook->is_hopeless = true;
		snprintf(outlook->why_hopeless, sizeof(outlook->why_hopeless), "there is no second process to have it in "
			 "common with");
		return;
	}
	if (sharing->state == KSR_ENGINE_WORKING || sharing->state == KSR_ENGINE_DONE || report->process_count == 0)
		return;
	if (merging->state == KSR_ENGINE_MISSING)
		why = "this kernel has no KSM";
	else if (merging->state == KSR_ENGINE_STOPPED)
		why = "KSM does not run";
	else if (merging->state == KSR_ENGINE_UNUSED)
		why = "none of it is offered to KSM";
	if (!why || ksr_balance_saved(&balances->total))
		return;
	outlook->is_hopeless = true;
	snprintf(outlook->why_hopeless, sizeof(outlook->why_hopeless), "%s, and %s", why,
		 sharing->state == KSR_ENGINE_UNUSED ? "no process shares" : "sharing was not asked for");
}

void ksr_outlook_make(const struct ksr_report *report, const struct ksr_balances *balances, bool is_live,
		      struct ksr_outlook *outlook)
{
	memset(outlook, 0, sizeof(*outlook));
	outlook_of_merging(report, &balances->total, &outlook->merging);
	outlook_of_sharing(report, is_live, &outlook->sharing);
	find_hopeless(report, balances, outlook);
	propose_engine(report, balances, outlook);
	propose_aside(report, balances, outlook);
	propose_looking(report, balances, outlook);
	propose_layout(balances, outlook);
	propose_why(balances, outlook);
}
