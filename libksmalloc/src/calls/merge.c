/* SPDX-License-Identifier: BSD-2-Clause */
#include "calls/merge.h"

#include "calls/fork.h"
#include "segment/hint.h"
#include "os/os.h"
#include "block/block.h"
#include "mapping/region.h"
#include "slot/sample.h"
#include "site/site.h"
#include "layout/span.h"
#include "segment/stat.h"

#include <errno.h>

/* A block that may merge. -EINVAL for all other pointers. */
static int find(const void *block, struct ksm_block_facts *found)
{
	int error = ksm_span_holds(block) ? ksm_block_ask(block, found) : -EINVAL;

	return !error && found->is_private ? -EINVAL : error;
}

static int settle_all(void)
{
	uint32_t count = __atomic_load_n(&ksm_stat->header.sites.count, __ATOMIC_ACQUIRE);
	int error = ksm_hint_is_taken() ? 0 : -EOPNOTSUPP;

	for (uint32_t i = 0; i < count; i++) {
		struct ksm_site *site = ksm_site_at(i);
		int failed;

		/* A site without a slot has loaded nothing of size yet. */
		if (!site->advise || __atomic_load_n(&site->record->state, __ATOMIC_RELAXED) !=
					     KSMALLOC_SITE_PLACED)
			continue;
		failed = ksm_sample_settle(site);
		error = error ? error : failed;
	}
	return error;
}

int ksm_merge_settled(const void *block)
{
	struct ksm_block_facts found;
	int error;

	ksm_fork_detect();
	if (!block)
		return settle_all();
	error = find(block, &found);
	return error ? error : ksm_sample_settle(found.site);
}

/* --- merging now ------------------------------------------------------------------------- */

struct request {
	bool try_only;
	bool stop;   /* what made the last range fail will make all others fail */
	long pages;  /* examined so far */
	long error;  /* of the first range that failed, but for those that may not merge */
};

static void merge_range(struct request *request, uintptr_t begin, uintptr_t end)
{
	long pages = begin < end && !request->stop ?
		     ksm_os_merge_now((void *)begin, end - begin, request->try_only) : 0;

	if (pages >= 0) {
		request->pages += pages;
		return;
	}
	request->stop = pages == -EBUSY || pages == -EINTR;
	if (pages != -EINVAL && !request->error)
		request->error = pages;
}

/* All slots, nurseries of the shared layout among them, as the segment lists them. */
static void merge_slots(struct request *request)
{
	uint32_t count = __atomic_load_n(&ksm_stat->header.slots.count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count; i++) {
		const struct ksmalloc_segment_slot *slot = &ksm_stat->slots[i];
		uint64_t mapped = __atomic_load_n(&slot->mapped_bytes, __ATOMIC_ACQUIRE);

		if (slot->flags & KSMALLOC_SLOT_ADVISED)
			merge_range(request, slot->base, slot->base + mapped);
	}
}

/* A mapping, or the part of it that lies in one of the two regions. */
static bool merge_in_regions(const struct ksm_os_mapping *mapping, void *argument)
{
	for (enum ksm_region region = 0; region < KSM_REGIONS; region++) {
		struct ksm_region_range all = ksm_region_all(region);

		merge_range(argument, ksm_max(mapping->begin, all.begin), ksm_min(mapping->end, all.end));
	}
	return true;
}

long ksm_merge_now(const void *block, bool try_only)
{
	struct request request = { .try_only = try_only };
	struct ksm_block_facts found;
	long pages;
	int error;

	ksm_fork_detect();
	if (!ksm_hint_is_taken())
		return -EOPNOTSUPP;
	if (block) {
		error = find(block, &found);
		pages = error ? error :
			ksm_os_merge_now((void *)(uintptr_t)block, found.usable, try_only);
	} else {
		merge_slots(&request);
		if (ksm_layout_is_shared())
			ksm_os_each_mapping(merge_in_regions, &request);
		pages = request.pages > 0 ? request.pages : request.error;
	}
	if (pages > 0)
		ksm_stat_add(&ksm_stat->header.stats.merge_now_pages_total, (uint64_t)pages);
	return pages;
}
