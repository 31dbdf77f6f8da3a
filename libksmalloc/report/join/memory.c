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
	memory->own_pss = vma->pss;
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

	memory->held = vma->rss;
	/* What is neither KSM's nor the process's own comes from the store, not from fork. */
	if (vma->flags & KSR_VMA_STORE) {
		memory->shared = ksr_less(vma->end - vma->begin, vma->hollow + vma->anonymous + vma->swap);
		memory->fork_shared = 0;
		memory->held = memory->shared + ksm_min(vma->anonymous, vma->rss);
		memory->own_pss = ksm_min(vma->pss, vma->anonymous);
	}
	memory->anonymous = ksm_min(vma->anonymous, vma->rss);
	return is_estimate;
}

uint64_t ksr_written_pss(const struct ksr_vma *vma)
{
	uint64_t written = ksm_min(vma->anonymous, vma->rss);
	uint64_t alone = ksm_min(written, vma->private_dirty);
	uint64_t shared = vma->shared_clean + vma->shared_dirty;

	/* Pages of the file itself are never dirty in a private mapping. */
	if (vma->pss_dirty)
		return ksm_min(vma->pss_dirty, vma->pss);
	/* Kernels before 6.0: what a fork has left to several counts as much as what several map of the file. */
	return ksm_min(vma->pss, alone + ksr_scale(ksr_less(vma->pss, vma->private_clean + vma->private_dirty),
						   written - alone, shared));
}

/* The figures of a memory: X(member). */
#define FIGURES(X)                                                                                 \
	X(resident)                                                                                \
	X(held)                                                                                    \
	X(own_pss)                                                                                 \
	X(merged)                                                                                  \
	X(saved)                                                                                   \
	X(saved_error)                                                                             \
	X(stale)                                                                                   \
	X(saved_freed)                                                                             \
	X(fork_shared)                                                                             \
	X(swapped)                                                                                 \
	X(mergeable)                                                                               \
	X(not_asked)                                                                               \
	X(stored)                                                                                  \
	X(shared)                                                                                  \
	X(anonymous)

void ksr_memory_add(struct ksr_memory *sum, const struct ksr_memory *part)
{
#define ADD(member) sum->member += part->member;
	FIGURES(ADD)
#undef ADD
}

void ksr_memory_take(struct ksr_memory *from, const struct ksr_memory *part)
{
#define TAKE(member) from->member = ksr_less(from->member, part->member);
	FIGURES(TAKE)
#undef TAKE
}

struct ksr_memory ksr_memory_share(const struct ksr_memory *memory, uint64_t part, uint64_t whole)
{
	struct ksr_memory share;

#define SHARE(member) share.member = ksr_scale(memory->member, part, whole);
	FIGURES(SHARE)
#undef SHARE
	return share;
}

struct ksr_memory ksr_memory_between(const struct ksr_memory *memory, uint64_t begin, uint64_t end, uint64_t whole)
{
	struct ksr_memory share = ksr_memory_share(memory, end, whole);
	struct ksr_memory before = ksr_memory_share(memory, begin, whole);

	ksr_memory_take(&share, &before);
	return share;
}

struct ksr_memory ksr_memory_rescale(const struct ksr_memory *part, const struct ksr_memory *was,
				     const struct ksr_memory *is)
{
	struct ksr_memory share;

	/* What there was nothing of is divided as what is resident. */
#define RESCALE(member)                                                                            \
	share.member = was->member ? ksr_scale(is->member, part->member, was->member) :            \
				     ksr_scale(is->member, part->resident, was->resident);
	FIGURES(RESCALE)
#undef RESCALE
	return share;
}

bool ksr_memory_is_empty(const struct ksr_memory *memory)
{
	uint64_t any = 0;

#define ANY(member) any |= memory->member;
	FIGURES(ANY)
#undef ANY
	return any == 0;
}
