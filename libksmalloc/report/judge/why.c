/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each row of the comparison is a site or a region. Its pages go through the questions in the order in which a page
 * passes them, and what one takes is not left for the next: figures of a row add up to what it holds.
 */
#define _GNU_SOURCE
#include "judge/why.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "join/aside.h"
#include "join/family.h"
#include "judge/facts.h"
#include "judge/outlook.h"
#include "judge/share.h"
#include "judge/siblings.h"
#include "pages/scan.h"
#include "pages/sum.h"
#include "read/clock.h"
#include "read/sample.h"

/* A part of a row that is smaller is no finding. */
#define LEAST_PAGES 4
/* Of a row, in percent: fewer pages that change are some counters of its own. */
#define CHANGING 10
/* Blocks that live shorter hardly ever merge: two rounds of ksmd take that long where it is fast. */
#define SHORT_MS 1000
#define LONG_MS 10000

const char *ksr_why_key(enum ksr_why_reason reason)
{
	static const char *const keys[] = {
#define KEY(name, key) key,
		KSR_WHY_REASONS(KEY)
#undef KEY
	};

	return keys[reason];
}

struct judge {
	const struct ksr_report *report;
	const struct ksr_process *process; /* the first of the two */
	struct ksr_why *why;
	struct ksr_facts facts; /* of the first of the two */
	uint64_t unmet; /* bytes that ksmd has not met yet, of all of the report */
	uint64_t own;	  /* of the first of the two, as reports count it */
	uint64_t own_all; /* of all of the kind */
};

static struct ksr_why_finding *add(struct judge *judge, uint32_t row, enum ksr_why_reason reason, uint64_t bytes)
{
	struct ksr_why *why = judge->why;
	struct ksr_why_finding *larger;

	if (bytes < LEAST_PAGES * judge->report->page_bytes)
		return NULL;
	larger = reallocarray(why->list, why->count + 1, sizeof(*larger));
	if (!larger)
		return NULL;
	why->list = larger;
	larger = &larger[why->count++];
	/* What is found of the two is taken for all, by what each of them has: one may have been started just now. */
	*larger = (struct ksr_why_finding){.reason = reason, .row = row, .seconds = KSR_NONE,
					   .holds = judge->own ? ksr_scale(bytes, judge->own_all, judge->own) :
								 bytes * why->workers};
	if (reason != KSR_WHY_UNIQUE)
		larger->worth = ksr_saved_at_most(larger->holds, why->workers);
	return larger;
}

/* --- what does not keep still -------------------------------------------------------------- */

/* Findings for those whose small blocks do not live in the row; the bytes of all of them. */
static uint64_t judge_small(struct judge *judge, uint32_t row, uint64_t bytes)
{
	const struct ksr_row_facts *facts = &judge->facts.rows[row];
	uint64_t small = ksm_min(facts->small, bytes);
	uint64_t whole = ksr_marks_whole(judge->facts.turnover.held, small);
	uint64_t taken = 0;

	for (uint32_t i = 0; i < judge->facts.turnover.count && whole; i++) {
		const struct ksr_turnover_of *origin = &judge->facts.turnover.origins[i];
		uint64_t lifetime = ksr_turnover_lifetime(origin, judge->facts.between_ms);
		uint64_t part = ksr_scale(small, origin->gone, whole);
		struct ksr_why_finding *finding;

		if (lifetime >= SHORT_MS)
			continue;
		finding = add(judge, row, KSR_WHY_SHORT_LIVED, part);
		if (!finding)
			continue;
		finding->origin = i;
		finding->lifetime_ms = lifetime;
		taken += part;
	}
	return ksm_min(taken, bytes);
}

/* Takes what does not live or rest from the bytes of a row; what is left can be judged by its content. */
static uint64_t judge_change(struct judge *judge, uint32_t row, uint64_t bytes)
{
	const struct ksr_row_facts *facts = &judge->facts.rows[row];
	const struct ksr_change *change = &facts->change;
	uint64_t moving = change->pages ? (change->changed + change->gone) * 100 / change->pages : 0;
	bool is_short = facts->lifetime_ms < SHORT_MS || (facts->lifetime_ms < LONG_MS && moving >= CHANGING);
	struct ksr_why_finding *finding;
	uint64_t taken;
	uint64_t small;

	if (is_short) {
		finding = add(judge, row, KSR_WHY_SHORT_LIVED, bytes);
		if (finding)
			finding->lifetime_ms = facts->lifetime_ms;
		return 0;
	}
	small = judge_small(judge, row, bytes);
	if (moving < CHANGING)
		return bytes - small;
	/* Blocks that come and go are written, too. */
	taken = ksr_scale(bytes, change->changed + change->gone, change->pages);
	add(judge, row, change->changed >= change->gone ? KSR_WHY_REWRITTEN : KSR_WHY_SHORT_LIVED, ksr_less(taken, small));
	return bytes - ksm_max(taken, small);
}

/* --- what differs ---------------------------------------------------------------------------- */

static const struct ksr_diff_cause *cause_of(const struct ksr_diff_row *row, enum ksr_cause cause)
{
	for (size_t i = 0; i < row->cause_count; i++) {
		if (row->causes[i].cause == cause)
			return &row->causes[i];
	}
	return NULL;
}

/* Is it a cause that pages of a few words have, and not pages of pointers? */
static bool is_word(const struct ksr_diff_cause *cause)
{
	return cause->cause > KSR_CAUSE_POINTER_OTHER && cause->cause < KSR_CAUSE_ZERO_PAGE;
}

static void add_causes(const struct ksr_diff_row *row, struct ksr_why_finding *finding)
{
	for (finding->cause_count = 0; finding->cause_count < KSR_WHY_CAUSES; finding->cause_count++) {
		const struct ksr_diff_cause *best = NULL;

		for (size_t i = 0; i < row->cause_count; i++) {
			bool known = !is_word(&row->causes[i]);

			for (size_t k = 0; k < finding->cause_count; k++)
				known = known || finding->causes[k] == row->causes[i].cause;
			if (!known && (!best || row->causes[i].pages > best->pages))
				best = &row->causes[i];
		}
		if (!best || best->pages * 20 < row->counts.words)
			return;
		finding->causes[finding->cause_count] = best->cause;
	}
}

/* The places in the page where words differ in most pages. */
static void add_offsets(const struct ksr_diff_row *row, size_t words, struct ksr_why_finding *finding)
{
	uint64_t most = 0;

	for (finding->offset_count = 0; finding->offset_count < KSR_WHY_OFFSETS; finding->offset_count++) {
		uint64_t best = 0;
		uint32_t at = 0;

		for (uint32_t word = 0; word < words; word++) {
			uint64_t count = 0;
			bool known = false;

			for (size_t k = 0; k < finding->offset_count; k++)
				known = known || finding->offsets[k] == word * 8;
			for (size_t i = 0; i < row->cause_count && !known; i++)
				count += is_word(&row->causes[i]) ? row->causes[i].positions[word] : 0;
			if (count > best) {
				best = count;
				at = word;
			}
		}
		most = ksm_max(most, best);
		/* Where they differ anywhere, no place is worth its name. */
		if (best == 0 || best < most / 4 || best * 10 < row->looked)
			return;
		finding->offsets[finding->offset_count] = at * 8;
	}
}

static void judge_content(struct judge *judge, uint32_t index, uint64_t bytes)
{
	const struct ksr_diff_row *row = &judge->why->diff.rows[index];
	const struct ksr_diff_counts *counts = &row->counts;
	uint64_t pages = counts->both + counts->only_first;
	const struct ksr_diff_cause *shifted = cause_of(row, KSR_CAUSE_SHIFTED);
	struct ksr_why_finding *finding;
	/* What lies elsewhere but for addresses: large and small blocks of the private layout lie where the process has room. */
	uint64_t masked = counts->masked + counts->masked_single;
	uint64_t other = ksr_less(counts->other + ksr_less(counts->only_first, counts->elsewhere_single), masked);

	add(judge, index, KSR_WHY_POINTERS, ksr_scale(bytes, counts->pointers + masked, pages));
	finding = add(judge, index, KSR_WHY_SHIFTED, ksr_scale(bytes, counts->shifted, pages));
	if (finding && shifted && shifted->delta_count)
		finding->shift = shifted->deltas[0];
	finding = add(judge, index, KSR_WHY_WORDS, ksr_scale(bytes, counts->words, pages));
	if (finding) {
		add_causes(row, finding);
		add_offsets(row, (size_t)(judge->report->page_bytes / 8), finding);
	}
	add(judge, index, KSR_WHY_UNIQUE, ksr_scale(bytes, other, pages));
}

/* --- what is equal, and not saved ------------------------------------------------------------- */

static bool shares(const struct judge *judge)
{
	const struct ksmalloc_segment_header *header = judge->process ? &judge->process->snapshot.header : NULL;

	return header && ksr_store_is_asked(header) && !ksr_store_is_aside(header);
}

/* What KSM may take of it. */
static void judge_offered(struct judge *judge, uint32_t row, uint64_t bytes)
{
	const struct ksr_kernel *kernel = &judge->report->kernel;
	const struct ksr_row_facts *facts = &judge->facts.rows[row];
	uint64_t huge = ksr_scale(bytes, facts->huge, facts->resident);
	struct ksr_why_finding *finding;
	uint64_t round;

	if (!kernel->present || kernel->run != 1) {
		finding = add(judge, row, KSR_WHY_STOPPED, bytes);
		if (finding)
			finding->is_sharing = shares(judge);
		return;
	}
	finding = add(judge, row, KSR_WHY_HUGE, huge);
	if (finding) {
		finding->is_asked = facts->asked_huge > facts->huge / 2;
		bytes -= huge;
	}
	finding = add(judge, row, KSR_WHY_NOT_REACHED, bytes);
	round = ksr_round_seconds(kernel, judge->report->page_bytes, judge->unmet);
	if (finding)
		finding->seconds = round == KSR_NONE ? KSR_NONE : 2 * round;
}

/* What a store takes of any program: the rest has to be named, or is for KSM alone. */
static bool is_shareable(const struct judge *judge, enum ksr_region_kind kind)
{
	return kind == KSR_REGION_SITE || kind == KSR_REGION_NURSERY || kind == KSR_REGION_HEAP ||
	       (kind == KSR_REGION_MAPPINGS && judge->facts.shares_mappings);
}

static void judge_equal(struct judge *judge, uint32_t row, uint64_t bytes)
{
	const struct ksr_row_facts *facts = &judge->facts.rows[row];
	uint64_t offered = ksr_scale(bytes, facts->mergeable, facts->resident);
	struct ksr_why_finding *finding;

	if (shares(judge) && (facts->shared || is_shareable(judge, judge->why->diff.rows[row].kind))) {
		finding = add(judge, row, KSR_WHY_NOT_REACHED, bytes);
		if (finding) {
			finding->by_store = true;
			finding->seconds = ksr_sharing_seconds(judge->report);
		}
		return;
	}
	if (shares(judge) && judge->why->diff.rows[row].kind == KSR_REGION_MAPPINGS) {
		finding = add(judge, row, KSR_WHY_NOT_OFFERED, bytes);
		if (finding)
			finding->is_mapping = true;
		return;
	}
	judge_offered(judge, row, offered);
	finding = add(judge, row, KSR_WHY_NOT_OFFERED, bytes - offered);
	if (finding)
		finding->is_denied = facts->is_denied;
}

/* Copies beyond the first, since one page of KSM is mapped by so many at most. */
static void judge_limit(struct judge *judge, uint32_t row)
{
	uint64_t limit = judge->report->kernel.max_page_sharing;
	uint64_t workers = judge->why->workers;
	struct ksr_why_finding *finding;

	if (limit == KSR_NONE || limit == 0 || workers <= limit)
		return;
	finding = add(judge, row, KSR_WHY_LIMIT, judge->facts.rows[row].merged);
	if (finding) {
		finding->holds = judge->facts.rows[row].merged * workers;
		finding->worth = judge->facts.rows[row].merged * ((workers + limit - 1) / limit - 1);
	}
}

static void judge_row(struct judge *judge, uint32_t index)
{
	const struct ksr_diff_counts *counts = &judge->why->diff.rows[index].counts;
	const struct ksr_row_facts *facts = &judge->facts.rows[index];
	uint64_t pages = ksr_less(counts->both, counts->shared) + counts->only_first;
	uint64_t equal = ksr_less(counts->equal, counts->shared) + counts->elsewhere_pairs + counts->elsewhere_single;
	uint64_t saved = facts->merged + facts->forked;
	uint64_t own = ksr_less(facts->resident, saved);
	uint64_t equal_bytes = ksr_scale(facts->resident, ksm_min(equal, pages), pages);
	uint64_t rest = judge_change(judge, index, own);

	judge_limit(judge, index);
	if (rest == 0)
		return;
	/* Of what rests, the same part is equal. */
	equal_bytes = ksr_scale(ksr_less(equal_bytes, saved), rest, own);
	judge_equal(judge, index, equal_bytes);
	judge_content(judge, index, ksr_scale(facts->resident, rest, own));
}

/* --- whose it is ------------------------------------------------------------------------------- */

/* The class of page that a reason is about. */
static enum ksr_page_class class_of(enum ksr_why_reason reason, bool *any)
{
	*any = reason == KSR_WHY_SHORT_LIVED || reason == KSR_WHY_REWRITTEN;
	switch (reason) {
	case KSR_WHY_POINTERS:
		return KSR_PAGE_POINTERS;
	case KSR_WHY_SHIFTED:
		return KSR_PAGE_SHIFTED;
	case KSR_WHY_WORDS:
		return KSR_PAGE_WORDS;
	case KSR_WHY_UNIQUE:
		return KSR_PAGE_OTHER;
	default:
		return KSR_PAGE_EQUAL;
	}
}

/* Puts a finding for each of those who have a fair part of it in its place; the rest stays with the row. */
static void divide(struct judge *judge, struct ksr_shares *shares, size_t which)
{
	struct ksr_why_finding whole = judge->why->list[which];
	const struct ksr_share *list = NULL;
	bool any;
	enum ksr_page_class class = class_of(whole.reason, &any);
	size_t count = ksr_shares_of(shares, whole.row, class, any, &list);
	struct ksr_why_finding rest = whole;
	uint64_t pages = 0;

	/* It is known already. */
	if (whole.origin)
		return;
	for (size_t i = 0; i < count; i++)
		pages += list[i].pages;
	for (size_t i = 0; i < count; i++) {
		struct ksr_why_finding part = whole;
		uint64_t bytes = ksr_scale(whole.holds, list[i].pages, pages);
		struct ksr_why_finding *added;

		if (list[i].origin == 0)
			continue;
		added = add(judge, whole.row, whole.reason, bytes / judge->why->workers);
		if (!added)
			continue;
		part.origin = list[i].origin;
		part.holds = bytes;
		part.worth = ksr_scale(whole.worth, list[i].pages, pages);
		*added = part;
		rest.holds = ksr_less(rest.holds, part.holds);
		rest.worth = ksr_less(rest.worth, part.worth);
	}
	judge->why->list[which] = rest;
}

/* Nothing is lost without memory but the names. */
static void divide_all(struct judge *judge, const struct ksr_notes *notes)
{
	struct ksr_why *why = judge->why;
	size_t count = why->count;
	struct ksr_shares *shares;
	size_t kept = 0;

	if (ksr_shares_create(&judge->facts.marks, notes, judge->report->page_bytes, &shares))
		return;
	for (size_t i = 0; i < count; i++)
		divide(judge, shares, i);
	for (size_t i = 0; i < why->count; i++) {
		if (why->list[i].holds >= LEAST_PAGES * judge->report->page_bytes)
			why->list[kept++] = why->list[i];
	}
	why->count = kept;
	ksr_shares_destroy(shares);
}

/* --- all of it ----------------------------------------------------------------------------------- */

static int compare_findings(const void *left, const void *right)
{
	const struct ksr_why_finding *a = left;
	const struct ksr_why_finding *b = right;

	if (a->worth != b->worth)
		return a->worth > b->worth ? -1 : 1;
	if (a->holds != b->holds)
		return a->holds > b->holds ? -1 : 1;
	return a->row < b->row ? -1 : a->row > b->row;
}

static const struct ksr_process *process_of(const struct ksr_report *report, const struct ksr_family *family, pid_t pid)
{
	size_t index = ksr_family_find(family, pid);

	return index == KSR_FAMILY_NONE ? NULL : &report->processes[index];
}

/* What the first of the two has, and all of their kind. */
static int count_own(const struct ksr_report *report, const struct ksr_workers *members, struct judge *judge)
{
	struct ksr_family family;
	int error = ksr_family_create(report, &family);

	for (size_t i = 0; i < members->count && !error; i++) {
		const struct ksr_process *member = process_of(report, &family, members->list[i].pid);

		judge->own_all += member ? ksr_own_of_process(member) : 0;
		if (i == 0) {
			judge->process = member;
			judge->own = judge->own_all;
		}
	}
	ksr_family_destroy(&family);
	return error;
}

static int judge_all(const struct ksr_fs *fs, const struct ksr_report *report, const struct ksr_change *changes,
		     const struct ksr_notes *notes, struct ksr_why *why)
{
	struct judge judge = {.report = report, .why = why};
	struct ksr_balances balances;

	if (count_own(report, &why->members, &judge) || ksr_balances_create(report, &balances))
		return -ENOMEM;
	if (balances.total.has_visited)
		judge.unmet = ksr_less(balances.total.mergeable, balances.total.visited);
	ksr_balances_destroy(&balances);
	if (ksr_facts_create(fs, judge.process, &why->diff, changes, why->looked_ms, &judge.facts))
		return -ENOMEM;
	for (uint32_t i = 0; i < why->diff.row_count; i++) {
		enum ksr_region_kind kind = why->diff.rows[i].kind;

		if (kind != KSR_REGION_FOREIGN && kind != KSR_REGION_STACK && kind != KSR_REGION_THREAD_STACK)
			judge_row(&judge, i);
	}
	divide_all(&judge, notes);
	ksr_facts_destroy(&judge.facts);
	if (why->count)
		qsort(why->list, why->count, sizeof(*why->list), compare_findings);
	return 0;
}

static void wait_until(uint64_t end_ns)
{
	const struct timespec end = ksr_clock_time(end_ns);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		;
}

static int compare(const struct ksr_fs *fs, const struct ksr_report *report, struct ksr_why *why)
{
	const struct ksr_space *first = &why->members.list[0].space;
	struct ksr_change *counts = calloc(first->region_count + 1, sizeof(*counts));
	struct ksr_changes *changes = NULL;
	struct ksr_notes notes = {0};
	uint64_t begin_ns = ksr_clock_ns();
	int error = counts ? 0 : -ENOMEM;

	if (!error)
		error = ksr_changes_begin(fs, first, why->every, &changes);
	why->diff.notes = &notes;
	if (!error)
		error = ksr_diff_scan(fs, &why->diff);
	why->diff.notes = NULL;
	if (!error) {
		wait_until(begin_ns + why->interval_ms * KSR_CLOCK_MS);
		error = ksr_changes_end(changes, counts);
	}
	if (!error)
		error = judge_all(fs, report, counts, &notes, why);
	ksr_notes_free(&notes);
	ksr_changes_destroy(changes);
	free(counts);
	return error;
}

int ksr_why_create(const struct ksr_fs *fs, const struct ksr_report *report, const pid_t *pids, size_t count,
		   uint64_t interval_ms, struct ksr_why *why)
{
	int error = -ESRCH;

	memset(why, 0, sizeof(*why));
	why->interval_ms = interval_ms;
	why->looked_ms = ksr_clock_ms();
	ksr_workers_read(fs, pids, count, &why->members, &why->notes);
	why->workers = 0;
	if (why->members.count >= 2 && ksr_keep_siblings(&why->members, &why->notes)) {
		struct ksr_worker *list = why->members.list;

		why->workers = why->members.count;
		why->every = ksr_sample_every(fs, list[0].pid);
		why->is_shared = list[0].space.has_segment &&
				 list[0].space.snapshot.header.layout == KSMALLOC_LAYOUT_SHARED;
		error = ksr_diff_create(&list[0].space, &list[1].space, &why->diff);
		why->has_diff = error == 0;
		why->diff.every = why->every;
	}
	if (!error)
		error = compare(fs, report, why);
	if (error)
		ksr_why_destroy(why);
	return error;
}

void ksr_why_destroy(struct ksr_why *why)
{
	if (why->has_diff)
		ksr_diff_destroy(&why->diff);
	ksr_workers_free(&why->members);
	ksr_findings_free(&why->notes);
	free(why->list);
	memset(why, 0, sizeof(*why));
}
