/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/share_set.h"

void ksm_share_add_range(struct ksm_share_set *set, uintptr_t slice, uintptr_t begin, uintptr_t end)
{
	begin = ksm_max(begin, slice);
	end = ksm_min(end, slice + KSM_SHARE_SLICE);
	for (; begin < end; begin += KSM_PAGE)
		ksm_share_add(set, (uint32_t)((begin - slice) >> KSM_PAGE_SHIFT));
}

void ksm_share_remove_range(struct ksm_share_set *set, uintptr_t slice, uintptr_t begin, uintptr_t end)
{
	begin = ksm_max(begin, slice);
	end = ksm_min(end, slice + KSM_SHARE_SLICE);
	for (; begin < end; begin += KSM_PAGE)
		ksm_share_remove(set, (uint32_t)((begin - slice) >> KSM_PAGE_SHIFT));
}

void ksm_share_unite(struct ksm_share_set *set, const struct ksm_share_set *other)
{
	for (uint32_t i = 0; i < KSM_COUNT_OF(set->words); i++)
		set->words[i] |= other->words[i];
}

void ksm_share_keep(struct ksm_share_set *set, const struct ksm_share_set *other)
{
	for (uint32_t i = 0; i < KSM_COUNT_OF(set->words); i++)
		set->words[i] &= other->words[i];
}

void ksm_share_drop(struct ksm_share_set *set, const struct ksm_share_set *other)
{
	for (uint32_t i = 0; i < KSM_COUNT_OF(set->words); i++)
		set->words[i] &= ~other->words[i];
}

uint32_t ksm_share_count(const struct ksm_share_set *set)
{
	uint32_t pages = 0;

	for (uint32_t i = 0; i < KSM_COUNT_OF(set->words); i++)
		pages += (uint32_t)__builtin_popcountll(set->words[i]);
	return pages;
}

bool ksm_share_next_run(const struct ksm_share_set *set, struct ksm_share_run *run)
{
	run->begin = run->end;
	while (run->begin < KSM_SHARE_PAGES && !ksm_share_has(set, run->begin))
		run->begin++;
	run->end = run->begin;
	while (run->end < KSM_SHARE_PAGES && ksm_share_has(set, run->end))
		run->end++;
	return run->end > run->begin;
}
