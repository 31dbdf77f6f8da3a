/* SPDX-License-Identifier: BSD-2-Clause */
#include "join/memory.h"

#include <string.h>

static bool split_by_smaps(const struct ksr_vma *vma, struct ksr_memory *memory)
{
	uint64_t shared = vma->shared_clean + vma->shared_dirty;
	uint64_t gain = ksr_less(vma->rss, vma->pss);
	uint64_t merged = ksm_min(vma->ksm, vma->rss);
	uint64_t forked = ksr_less(shared, merged);
	uint64_t low;
	uint64_t high;

	memset(memory, 0, sizeof(*memory));
	memory->resident = vma->rss;
	memory->merged = merged;
	memory->swapped = vma->swap;
	if (vma->flags & KSR_VMA_MERGEABLE)
		memory->mergeable = vma->rss;
	else
		memory->not_asked = vma->rss;
	if (merged == 0) {
		memory->fork_shared = gain;
		return false;
	}
	if (forked == 0) {
		memory->saved = gain;
		return false;
	}
	low = ksm_max(merged / 2, ksr_less(gain, forked));
	high = ksm_max(low, ksm_min(merged, ksr_less(gain, forked / 2)));
	memory->saved = ksr_scale(gain, merged, merged + forked);
	/* Pss is rounded down to KiB and may lead out of the bounds by that much. */
	memory->saved = ksm_max(low, ksm_min(high, memory->saved));
	memory->saved_error = ksm_max(memory->saved - low, high - memory->saved);
	memory->fork_shared = ksr_less(gain, memory->saved);
	return true;
}

bool ksr_memory_from_vma(const struct ksr_vma *vma, struct ksr_memory *memory)
{
	bool is_estimate = split_by_smaps(vma, memory);

	/* What is neither KSM's nor the process's own comes from the store, not from fork. */
	if (vma->flags & KSR_VMA_STORE) {
		memory->shared = ksr_less(vma->end - vma->begin, vma->anonymous + vma->swap);
		memory->fork_shared = 0;
	}
	return is_estimate;
}

void ksr_memory_add(struct ksr_memory *sum, const struct ksr_memory *part)
{
	sum->resident += part->resident;
	sum->merged += part->merged;
	sum->saved += part->saved;
	sum->saved_error += part->saved_error;
	sum->stale += part->stale;
	sum->saved_freed += part->saved_freed;
	sum->fork_shared += part->fork_shared;
	sum->swapped += part->swapped;
	sum->mergeable += part->mergeable;
	sum->not_asked += part->not_asked;
	sum->shared += part->shared;
}

struct ksr_memory ksr_memory_share(const struct ksr_memory *memory, uint64_t part, uint64_t whole)
{
	return (struct ksr_memory){
		.resident = ksr_scale(memory->resident, part, whole),
		.merged = ksr_scale(memory->merged, part, whole),
		.saved = ksr_scale(memory->saved, part, whole),
		.saved_error = ksr_scale(memory->saved_error, part, whole),
		.stale = ksr_scale(memory->stale, part, whole),
		.saved_freed = ksr_scale(memory->saved_freed, part, whole),
		.fork_shared = ksr_scale(memory->fork_shared, part, whole),
		.swapped = ksr_scale(memory->swapped, part, whole),
		.mergeable = ksr_scale(memory->mergeable, part, whole),
		.not_asked = ksr_scale(memory->not_asked, part, whole),
		.shared = ksr_scale(memory->shared, part, whole),
	};
}
