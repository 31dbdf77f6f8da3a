/* SPDX-License-Identifier: BSD-2-Clause */
#include "join/marks.h"

#include <errno.h>
#include <stdlib.h>

#include "join/memory.h"
#include "read/search.h"

#define LARGEST_WEIGHT (UINT64_C(1) << 40) /* more is no mark of ours; sums of as many as there can be do not wrap */

/* --- in order of addresses ------------------------------------------------------------------- */

/* Of those that begin at one address the longest first: the others lie in it. */
static int compare_marks(const void *left, const void *right)
{
	const struct ksmalloc_segment_mark *a = left;
	const struct ksmalloc_segment_mark *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return a->kind < b->kind ? -1 : a->kind > b->kind;
}

static int compare_slots(const void *left, const void *right)
{
	const struct ksmalloc_segment_slot *a = left;
	const struct ksmalloc_segment_slot *b = right;

	return a->base < b->base ? -1 : a->base > b->base;
}

static uint64_t address_of_mark(const void *element)
{
	return ((const struct ksmalloc_segment_mark *)element)->address;
}

static uint64_t base_of_slot(const void *element)
{
	return ((const struct ksmalloc_segment_slot *)element)->base;
}

static uint64_t end_of(const struct ksmalloc_segment_mark *mark)
{
	return mark->address + ksm_min(mark->bytes, UINT64_MAX - mark->address);
}

/* Marks that began before the place where a walk is, each in those before it or behind them. */
struct nest {
	struct ksmalloc_segment_mark *pieces; /* what they have so far, by address */
	size_t count;
	uint32_t *open; /* indexes of marks; the last one has what comes next */
	size_t depth;
	uint64_t at;
};

/* The innermost of the marks has all up to there. */
static void take_piece(struct nest *nest, const struct ksmalloc_segment_mark *mark, uint64_t end)
{
	if (end <= nest->at)
		return;
	nest->pieces[nest->count] = *mark;
	nest->pieces[nest->count].address = nest->at;
	nest->pieces[nest->count].bytes = end - nest->at;
	nest->pieces[nest->count++].weight = ksr_scale(mark->weight, end - nest->at, mark->bytes);
	nest->at = end;
}

/* Goes on to an address: marks end before it, and what those around them have goes on behind them. */
static void go_on(struct nest *nest, const struct ksmalloc_segment_mark *marks, uint64_t address)
{
	while (nest->depth) {
		const struct ksmalloc_segment_mark *mark = &marks[nest->open[nest->depth - 1]];

		take_piece(nest, mark, ksm_min(end_of(mark), address));
		if (end_of(mark) > address)
			break;
		nest->depth--;
	}
	nest->at = address;
}

/*
 * Puts pieces that overlap nowhere in the place of marks: those that lie in others cut these into what is before and behind
 * them, and of two of which each has a part for itself the first ends where the second one begins.
 */
static int put_in_order(struct ksmalloc_segment_mark **marks, size_t *count)
{
	struct nest nest = {.pieces = calloc(2 * *count + 1, sizeof(*nest.pieces)),
			    .open = calloc(*count + 1, sizeof(*nest.open))};

	if (!nest.pieces || !nest.open) {
		free(nest.pieces);
		free(nest.open);
		return -ENOMEM;
	}
	qsort(*marks, *count, sizeof(**marks), compare_marks);
	for (size_t i = 0; i < *count; i++) {
		go_on(&nest, *marks, (*marks)[i].address);
		nest.open[nest.depth++] = (uint32_t)i;
	}
	go_on(&nest, *marks, UINT64_MAX);
	free(nest.open);
	free(*marks);
	*marks = nest.pieces;
	*count = nest.count;
	return 0;
}

static const struct ksmalloc_segment_mark *find(const struct ksmalloc_segment_mark *list, size_t count, uint64_t address)
{
	size_t end = ksr_search_above(list, count, sizeof(*list), address_of_mark, address);
	const struct ksmalloc_segment_mark *mark = end ? &list[end - 1] : NULL;

	return mark && address - mark->address < mark->bytes ? mark : NULL;
}

const struct ksmalloc_segment_mark *ksr_marks_owner_at(const struct ksr_marks *marks, uint64_t address)
{
	return find(marks->owners, marks->owner_count, address);
}

const struct ksmalloc_segment_mark *ksr_marks_block_at(const struct ksr_marks *marks, uint64_t address)
{
	return find(marks->blocks, marks->block_count, address);
}

const struct ksmalloc_segment_mark *ksr_marks_sample_in(const struct ksr_marks *marks, uint64_t begin, uint64_t end)
{
	const struct ksmalloc_segment_mark *best = NULL;
	size_t next = ksr_search_from(marks->samples, marks->sample_count, sizeof(*marks->samples), address_of_mark, begin);

	for (size_t i = next; i < marks->sample_count && marks->samples[i].address < end; i++) {
		if (!best || marks->samples[i].weight > best->weight)
			best = &marks->samples[i];
	}
	return best;
}

const struct ksmalloc_segment_slot *ksr_marks_slot_at(const struct ksr_marks *marks, uint64_t address)
{
	size_t end = ksr_search_above(marks->slots, marks->slot_count, sizeof(*marks->slots), base_of_slot, address);
	const struct ksmalloc_segment_slot *slot = end ? &marks->slots[end - 1] : NULL;

	return slot && address - slot->base < slot->mapped_bytes ? slot : NULL;
}

uint64_t ksr_marks_heap(const struct ksr_marks *marks, uint64_t begin, uint64_t end)
{
	size_t next = ksr_search_above(marks->owners, marks->owner_count, sizeof(*marks->owners), address_of_mark, begin);
	uint64_t bytes = 0;

	for (size_t i = next ? next - 1 : 0; i < marks->owner_count && marks->owners[i].address < end; i++) {
		const struct ksmalloc_segment_mark *mark = &marks->owners[i];
		uint64_t from = ksm_max(mark->address, begin);
		uint64_t to = ksm_min(mark->address + mark->bytes, end);

		if (mark->kind == KSMALLOC_MARK_HEAP && to > from)
			bytes += to - from;
	}
	return bytes;
}

/* --- reading ----------------------------------------------------------------------------------- */

static void take_sampled(void *context, uint32_t origin, double bytes, double variance)
{
	struct ksr_marks *marks = context;

	marks->origins[origin].sampled += (uint64_t)bytes;
	marks->origins[origin].variance += variance;
}

static void sum_samples(struct ksr_marks *marks, const struct ksr_fs *fs, const struct ksr_snapshot *snapshot,
			struct ksr_samples *samples)
{
	struct ksr_bins bins;

	if (ksr_bins_read(fs, snapshot, &bins) != 0)
		bins = (struct ksr_bins){0};
	marks->kept = bins.kept_bytes;
	ksr_samples_sum(samples, &bins, take_sampled, marks);
}

static int take_mark(struct ksr_marks *marks, struct ksmalloc_segment_mark *mark, struct ksr_samples *samples)
{
	struct ksr_marked *origin = &marks->origins[mark->origin];

	mark->weight = ksr_marks_weight(mark);
	/* Whose these are counts when they are found in a slot. */
	if (mark->kind == KSMALLOC_MARK_LARGE) {
		marks->blocks[marks->block_count++] = *mark;
		return 0;
	}
	origin->kinds |= 1u << mark->kind;
	/* Who has taken a piece of jemalloc's memory only says where his blocks are looked for first. */
	if (mark->kind != KSMALLOC_MARK_HEAP)
		origin->marks++;
	if (mark->kind == KSMALLOC_MARK_SMALL) {
		origin->sampled_bytes += ksm_min(mark->bytes, mark->weight);
		marks->sampled_at = mark->address;
		marks->samples[marks->sample_count++] = *mark;
		return ksr_samples_add(samples, mark);
	}
	if (mark->weight > mark->bytes)
		origin->variance += (double)mark->weight * (double)mark->weight;
	marks->owners[marks->owner_count++] = *mark;
	return 0;
}

static int take_marks(struct ksr_marks *marks, const struct ksr_fs *fs, const struct ksr_snapshot *snapshot)
{
	struct ksr_samples samples = {0};
	struct ksmalloc_segment_mark mark;
	int error = 0;

	for (uint32_t i = 0; i < snapshot->header.marks.count && !error; i++) {
		/* Origin 0 is not known: it says something of jemalloc's memory only. */
		if (ksr_snapshot_mark(snapshot, i, &mark) && (mark.origin || mark.kind == KSMALLOC_MARK_HEAP))
			error = take_mark(marks, &mark, &samples);
	}
	if (!error)
		sum_samples(marks, fs, snapshot, &samples);
	ksr_samples_free(&samples);
	return error;
}

int ksr_marks_create(struct ksr_marks *marks, const struct ksr_fs *fs, const struct ksr_snapshot *snapshot)
{
	uint32_t count = snapshot->header.marks.count;

	*marks = (struct ksr_marks){.origin_count = snapshot->header.origins.count,
				    .slot_count = snapshot->header.slots.count};
	marks->slots = calloc((size_t)marks->slot_count + 1, sizeof(*marks->slots));
	marks->owners = calloc((size_t)count + 1, sizeof(*marks->owners));
	marks->blocks = calloc((size_t)count + 1, sizeof(*marks->blocks));
	marks->samples = calloc((size_t)count + 1, sizeof(*marks->samples));
	marks->origins = calloc((size_t)marks->origin_count + 1, sizeof(*marks->origins));
	if (!marks->slots || !marks->owners || !marks->blocks || !marks->samples || !marks->origins ||
	    take_marks(marks, fs, snapshot) != 0 || put_in_order(&marks->owners, &marks->owner_count) != 0 ||
	    put_in_order(&marks->blocks, &marks->block_count) != 0) {
		ksr_marks_destroy(marks);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < marks->slot_count; i++)
		ksr_snapshot_slot(snapshot, i, &marks->slots[i]);
	qsort(marks->slots, marks->slot_count, sizeof(*marks->slots), compare_slots);
	qsort(marks->samples, marks->sample_count, sizeof(*marks->samples), compare_marks);
	return 0;
}

void ksr_marks_destroy(struct ksr_marks *marks)
{
	free(marks->slots);
	free(marks->owners);
	free(marks->blocks);
	free(marks->samples);
	free(marks->origins);
	*marks = (struct ksr_marks){0};
}

/* --- what stands for others ---------------------------------------------------------------------- */

uint64_t ksr_marks_weight(const struct ksmalloc_segment_mark *mark)
{
	return ksm_min(ksm_max(mark->weight, 1), LARGEST_WEIGHT);
}

bool ksr_marks_is_sampled(const struct ksr_marks *marks, const struct ksmalloc_segment_slot *slot)
{
	return marks->sampled_at >= slot->base && marks->sampled_at - slot->base < slot->mapped_bytes;
}

uint64_t ksr_marks_unplaced(const struct ksmalloc_segment_site *site)
{
	return site->state == KSMALLOC_SITE_TRACKED ? ksm_min(site->stats.live_bytes, LARGEST_WEIGHT) : 0;
}

uint64_t ksr_marks_whole(uint64_t weights, uint64_t held)
{
	return ksm_max(weights, held / 2);
}
