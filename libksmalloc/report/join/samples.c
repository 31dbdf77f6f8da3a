/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For blocks of one class of which T bytes are counted, and samples of weights w: an origin has T times its share p of all
 * weights, and the variance of that is (T/W)^2 times the sum of (w (1-p))^2 over its samples and (w p)^2 over the others.
 */
#include "join/samples.h"

#include <errno.h>
#include <stdlib.h>

#include "read/grow.h"

int ksr_samples_add(struct ksr_samples *samples, const struct ksmalloc_segment_mark *mark)
{
	struct ksr_sample_block *larger = ksr_grow(samples->blocks, samples->count, &samples->room, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	samples->blocks = larger;
	samples->blocks[samples->count++] = (struct ksr_sample_block){
		.origin = mark->origin, .bytes = (uint32_t)ksm_min(mark->bytes, UINT32_MAX), .weight = mark->weight};
	return 0;
}

void ksr_samples_free(struct ksr_samples *samples)
{
	free(samples->blocks);
	*samples = (struct ksr_samples){0};
}

/* A size class is all of its blocks: they are told as jemalloc has them. */
static int compare(const void *left, const void *right)
{
	const struct ksr_sample_block *a = left;
	const struct ksr_sample_block *b = right;

	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? -1 : 1;
	return a->origin < b->origin ? -1 : a->origin > b->origin;
}

/* What samples stand for is never more than so many times their weights. */
#define MOST_SCALE 2.0

struct sum {
	double weight;
	double squares;
};

static struct sum sum_of(const struct ksr_sample_block *blocks, size_t count)
{
	struct sum sum = {0};

	for (size_t i = 0; i < count; i++) {
		sum.weight += (double)blocks[i].weight;
		sum.squares += (double)blocks[i].weight * (double)blocks[i].weight;
	}
	return sum;
}

/* How many of the first ones are like the first. */
static size_t same_size(const struct ksr_sample_block *blocks, size_t count)
{
	size_t same = 1;

	while (same < count && blocks[same].bytes == blocks[0].bytes)
		same++;
	return same;
}

static size_t same_origin(const struct ksr_sample_block *blocks, size_t count)
{
	size_t same = 1;

	while (same < count && blocks[same].origin == blocks[0].origin)
		same++;
	return same;
}

static bool is_counted(const struct ksr_bins *bins, uint32_t bytes, double *live)
{
	for (uint32_t i = 0; i < bins->count; i++) {
		if (bins->block_bytes[i] == bytes) {
			*live = (double)bins->live_bytes[i];
			return true;
		}
	}
	return false;
}

static void sum_class(const struct ksr_sample_block *blocks, size_t count, const struct ksr_bins *bins,
		      ksr_samples_take *take, void *context)
{
	struct sum all = sum_of(blocks, count);
	double live = 0;
	bool counted = is_counted(bins, blocks[0].bytes, &live);
	double scale = counted ? live / all.weight : 1;

	if (scale > MOST_SCALE)
		scale = MOST_SCALE;
	for (size_t at = 0, same; at < count; at += same) {
		struct sum own;
		double part, squares;

		same = same_origin(blocks + at, count - at);
		own = sum_of(blocks + at, same);
		part = own.weight / all.weight;
		squares = (1 - part) * (1 - part) * own.squares + part * part * (all.squares - own.squares);
		take(context, blocks[at].origin, scale * own.weight, counted ? scale * scale * squares : own.squares);
	}
}

void ksr_samples_sum(struct ksr_samples *samples, const struct ksr_bins *bins, ksr_samples_take *take, void *context)
{
	if (samples->count)
		qsort(samples->blocks, samples->count, sizeof(samples->blocks[0]), compare);
	for (size_t at = 0, same; at < samples->count; at += same) {
		same = same_size(samples->blocks + at, samples->count - at);
		sum_class(samples->blocks + at, same, bins, take, context);
	}
}
