/* SPDX-License-Identifier: BSD-2-Clause */
#include "nursery.h"

#include "hint.h"
#include "keep.h"
#include "layout.h"
#include "lock.h"
#include "policy.h"

#define NURSERIES 8
#define DENIED KSM_PARTS

struct shared_pool {
	struct ksm_pool pool;
	pthread_mutex_t lock;
};

static struct shared_pool nurseries[KSM_PARTS + 1];
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
	return nurseries_merge() ? KSM_PARTS + 1 : NURSERIES;
}

void ksm_nursery_init(void)
{
	struct ksm_policy policy = ksm_policy_of_region("nursery");
	bool advise = ksm_layout_is_shared() && policy.advise;

	for (uint32_t i = 0; i < nursery_count(); i++) {
		init_shared_pool(&nurseries[i], "ksmalloc:nursery", i);
		nurseries[i].pool.part = ksm_layout_part(i);
		nurseries[i].pool.advise = advise && i != DENIED;
		nurseries[i].pool.is_exempt = ksm_hint_covers_process() && !policy.advise;
		nurseries[i].pool.hint = ksm_hint_word(KSMALLOC_HINT_NURSERIES, policy.priority,
						       KSMALLOC_STABILITY_UNKNOWN, true);
	}
	nurseries[DENIED].pool.is_exempt = true;
	init_shared_pool(&private_pool, "ksmalloc:private", KSM_PARTS + 1);
	private_pool.pool.is_exempt = true;
}

struct ksm_pool *ksm_nursery_of(const struct ksm_site *site)
{
	uint32_t ordinal = ksm_thread_ordinal();

	if (!site->advise && nurseries_merge())
		return &nurseries[DENIED].pool;
	return &nurseries[ordinal % (ksm_layout_is_shared() ? KSM_PARTS : NURSERIES)].pool;
}

struct ksm_pool *ksm_nursery_private(void)
{
	return &private_pool.pool;
}

void ksm_nursery_lock_all(void)
{
	for (uint32_t i = 0; i < nursery_count(); i++)
		pthread_mutex_lock(&nurseries[i].lock);
	pthread_mutex_lock(&private_pool.lock);
}

void ksm_nursery_unlock_all(void)
{
	pthread_mutex_unlock(&private_pool.lock);
	for (uint32_t i = nursery_count(); i > 0; i--)
		pthread_mutex_unlock(&nurseries[i - 1].lock);
}

void ksm_nursery_postfork_child(void)
{
	for (uint32_t i = 0; i < nursery_count(); i++)
		ksm_lock_init(&nurseries[i].lock);
	ksm_lock_init(&private_pool.lock);
}
