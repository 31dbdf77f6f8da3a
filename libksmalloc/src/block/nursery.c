/* SPDX-License-Identifier: BSD-2-Clause */
#include "block/nursery.h"

#include "segment/hint.h"
#include "slot/keep.h"
#include "layout/layout.h"
#include "system/lock.h"
#include "site/policy.h"
#include "layout/stream.h"

#define NURSERIES 8

struct shared_pool {
	struct ksm_pool pool;
	pthread_mutex_t lock;
};

/* Those of the depths up to the current one are used. */
static struct shared_pool nurseries[KSM_PARTS] KSM_SPARSE;
static struct shared_pool denied_pool;
static struct shared_pool private_pool;

static void init_shared_pool(struct shared_pool *shared, const char *name, uint32_t number)
{
	ksm_lock_init(&shared->lock);
	shared->pool.lock = &shared->lock;
	shared->pool.name = name;
	shared->pool.site_id = number;
	shared->pool.seed = number;
	shared->pool.has_owners = true;
	ksm_keep_add_pool(&shared->pool);
}

/* Where nurseries merge, blocks that must not merge lie in one of their own. */
static bool nurseries_merge(void)
{
	return ksm_layout_is_shared() || ksm_hint_covers_process();
}

static uint32_t nursery_count(void)
{
	if (ksm_layout_is_shared())
		return (ksm_stream_depth() + 1) * KSM_LANES;
	return NURSERIES;
}

static void init_from(uint32_t first)
{
	struct ksm_policy policy = ksm_policy_of_region("nursery");

	for (uint32_t i = first; i < nursery_count(); i++) {
		struct ksm_pool *pool = &nurseries[i].pool;

		init_shared_pool(&nurseries[i], "ksmalloc:nursery", i);
		pool->part = ksm_layout_is_shared() ? i : 0;
		pool->advise = ksm_layout_is_shared() && policy.advise;
		pool->is_exempt = ksm_hint_covers_process() && !policy.advise;
		pool->hint = ksm_hint_word(KSMALLOC_HINT_NURSERIES, policy.priority,
					   KSMALLOC_STABILITY_UNKNOWN, true);
	}
}

void ksm_nursery_init(void)
{
	init_from(0);
	init_shared_pool(&denied_pool, "ksmalloc:nursery", KSM_PARTS);
	denied_pool.pool.is_exempt = true;
	init_shared_pool(&private_pool, "ksmalloc:private", KSM_PARTS + 1);
	private_pool.pool.is_exempt = true;
}

void ksm_nursery_deepen(void)
{
	uint32_t first = ksm_stream_depth() * KSM_LANES;

	/* Children of the greatest depth share its nurseries. */
	if (ksm_layout_is_shared() && nurseries[0].pool.lock && !nurseries[first].pool.lock)
		init_from(first);
}

struct ksm_pool *ksm_nursery_of(const struct ksm_site *site)
{
	if (!site->advise && nurseries_merge())
		return &denied_pool.pool;
	if (ksm_layout_is_shared())
		return &nurseries[ksm_stream_part()].pool;
	return &nurseries[ksm_stream_ordinal() % NURSERIES].pool;
}

struct ksm_pool *ksm_nursery_private(void)
{
	return &private_pool.pool;
}

void ksm_nursery_lock_all(void)
{
	for (uint32_t i = 0; i < nursery_count(); i++)
		pthread_mutex_lock(&nurseries[i].lock);
	pthread_mutex_lock(&denied_pool.lock);
	pthread_mutex_lock(&private_pool.lock);
}

void ksm_nursery_unlock_all(void)
{
	pthread_mutex_unlock(&private_pool.lock);
	pthread_mutex_unlock(&denied_pool.lock);
	for (uint32_t i = nursery_count(); i > 0; i--)
		pthread_mutex_unlock(&nurseries[i - 1].lock);
}

void ksm_nursery_postfork_child(void)
{
	for (uint32_t i = 0; i < nursery_count(); i++)
		ksm_lock_init(&nurseries[i].lock);
	ksm_lock_init(&denied_pool.lock);
	ksm_lock_init(&private_pool.lock);
}
