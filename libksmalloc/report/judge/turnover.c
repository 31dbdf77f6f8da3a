/* SPDX-License-Identifier: BSD-2-Clause */
#include "judge/turnover.h"

#include <errno.h>
#include <stdlib.h>

#include "join/memory.h"
#include "read/number.h"

/* So many samples have to be gone, and so often all that they stand for has to be freed meanwhile. */
#define LEAST_SAMPLES 2
#define LEAST_TURNS 2

static bool is_same(const struct ksmalloc_segment_mark *before, const struct ksr_snapshot *second, uint32_t index)
{
	struct ksmalloc_segment_mark now;

	return index < second->header.marks.count && ksr_snapshot_mark(second, index, &now) &&
	       now.kind == KSMALLOC_MARK_SMALL && now.address == before->address && now.turn == before->turn;
}

static void take_marks(const struct ksr_snapshot *first, const struct ksr_snapshot *second, struct ksr_turnover *turnover)
{
	for (uint32_t i = 0; i < first->header.marks.count; i++) {
		struct ksmalloc_segment_mark mark;
		struct ksr_turnover_of *origin;
		uint64_t weight;

		if (!ksr_snapshot_mark(first, i, &mark) || mark.kind != KSMALLOC_MARK_SMALL || !mark.origin)
			continue;
		origin = &turnover->origins[mark.origin];
		weight = ksr_marks_weight(&mark);
		origin->held += weight;
		turnover->held += weight;
		if (is_same(&mark, second, i))
			continue;
		origin->gone += weight;
		origin->gone_samples++;
	}
}

int ksr_turnover_create(const struct ksr_snapshot *first, const struct ksr_snapshot *second, struct ksr_turnover *turnover)
{
	uint32_t count = first->header.origins.count;

	*turnover = (struct ksr_turnover){.origins = calloc((size_t)count + 1, sizeof(*turnover->origins))};
	if (!turnover->origins)
		return -ENOMEM;
	turnover->count = count;
	take_marks(first, second, turnover);
	for (uint32_t i = 1; i < count && i < second->header.origins.count; i++) {
		struct ksmalloc_origin_stats before;
		struct ksmalloc_origin_stats now;

		ksr_snapshot_origin_stats(first, i, &before);
		ksr_snapshot_origin_stats(second, i, &now);
		turnover->origins[i].freed =
			ksr_less(now.sampled_freed_bytes_total, before.sampled_freed_bytes_total);
	}
	return 0;
}

void ksr_turnover_destroy(struct ksr_turnover *turnover)
{
	free(turnover->origins);
	*turnover = (struct ksr_turnover){0};
}

uint64_t ksr_turnover_lifetime(const struct ksr_turnover_of *origin, uint64_t between_ms)
{
	if (origin->gone_samples < LEAST_SAMPLES || origin->freed / LEAST_TURNS < origin->gone)
		return KSR_NONE;
	return ksr_scale(between_ms, origin->gone, origin->freed);
}
