/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * samples: how much the small blocks of one process that stand for others come to, for each origin.
 *
 * What it is: sums of weights, and where it is known how many blocks of a size class there are (read/bins.h), shares of
 * that: then chance has only to do with whose blocks of one size they are, and an origin that has a size for itself is
 * known exactly.
 * What it is not: a division of memory (owners.h).
 *
 * Invariants: of a size class whose count is known, what all origins have is no more than is counted, and no more than
 * twice what the samples stand for: the rest is of blocks that were there before there were samples.
 * Locking and owner: one thread; the list belongs to who has it.
 * Failure: -ENOMEM.
 */
#ifndef KSR_JOIN_SAMPLES_H
#define KSR_JOIN_SAMPLES_H

#include "read/bins.h"

struct ksr_sample_block {
	uint32_t origin;
	uint32_t bytes;
	uint64_t weight;
};

struct ksr_samples {
	struct ksr_sample_block *blocks;
	size_t count;
	size_t room;
};

int ksr_samples_add(struct ksr_samples *samples, const struct ksmalloc_segment_mark *mark);
void ksr_samples_free(struct ksr_samples *samples);

/* What an origin has of one size class: the bytes, and the variance of that. */
typedef void ksr_samples_take(void *context, uint32_t origin, double bytes, double variance);

/* Sums up; bins may have no class. The order of the list changes. */
void ksr_samples_sum(struct ksr_samples *samples, const struct ksr_bins *bins, ksr_samples_take *take, void *context);

#endif
