/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sample looks at each page twice: it hashes PICKS pages, and the next one hashes them
 * again and compares. Then other pages are picked, at places that spread evenly over the
 * site's slots (multiples of the golden ratio), so that in time all of them come up. A page whose block
 * was freed meanwhile counts as changed: what comes there next is new content.
 */
#include "slot/sample.h"

#include "segment/hint.h"
#include "system/meta.h"
#include "system/option.h"
#include "os/os.h"
#include "layout/span.h"
#include "slot/stability.h"
#include "segment/stat.h"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

#include <errno.h>

#define PICKS	 8u
#define BUDGET	 INT64_C(4096) /* pages */
#define NEVER	 INT64_MAX
#define LOOK_AT	 32u /* sites in search of one whose time has come */
#define FORWARD	 64u /* pages in search of one in use */

struct pick {
	uintptr_t address; /* of a page in a slot, 0 for none */
	uint64_t hash;
};

struct ksm_sample {
	struct ksm_stability stability;
	uint64_t taken_ms; /* 0: never */
	uint32_t places;   /* that were picked so far */
	struct pick picks[PICKS];
};

static atomic_uint next_site; /* whose turn it is */
static atomic_bool refused;   /* process_vm_readv is not to be had */

static bool is_sampling(void)
{
	return ksm_options.stability == KSM_STABILITY_SAMPLE && ksm_hint_is_taken() &&
	       !atomic_load_explicit(&refused, memory_order_relaxed);
}

/* --- the sites' own record; the site's lock is held --------------------------------------- */

static struct ksm_sample *obtain_sample_locked(struct ksm_site *site)
{
	if (site->sample)
		return site->sample;
	site->sample = ksm_meta_alloc(sizeof(*site->sample));
	if (site->sample)
		ksm_stability_init(&site->sample->stability,
				   (enum ksmalloc_stability)site->record->stability);
	return site->sample;
}

/* Shows the site's stability to readers. */
static void show_locked(struct ksm_site *site, enum ksmalloc_stability now)
{
	enum ksmalloc_stability before = (enum ksmalloc_stability)site->record->stability;
	uint64_t *settled = &ksm_stat->header.stats.settled_sites;

	__atomic_store_n(&site->record->stability, (uint32_t)now, __ATOMIC_RELAXED);
	if (now == KSMALLOC_STABILITY_SETTLED && before != now)
		ksm_stat_add(settled, 1);
	else if (before == KSMALLOC_STABILITY_SETTLED && before != now)
		ksm_stat_add(settled, UINT64_MAX);
}

static uint64_t word_of(const struct ksm_site *site)
{
	return ksm_hint_word(site->id, site->priority,
			     (enum ksmalloc_stability)site->record->stability,
			     ksm_span_has_peers());
}

void ksm_sample_adopt_locked(struct ksm_site *site, struct ksm_pool *pool)
{
	if (ksm_options.stability == KSM_STABILITY_SETTLED && !site->sample)
		show_locked(site, KSMALLOC_STABILITY_SETTLED);
	pool->hint = word_of(site);
	pool->credit = BUDGET;
	/*
	 * Now, since this moment is the same in all processes of a group, and that of the first
	 * sample is not: metadata that is mapped moves what the kernel places afterwards.
	 */
	if (site->advise && is_sampling())
		obtain_sample_locked(site);
}

bool ksm_sample_renew_locked(struct ksm_pool *pool)
{
	pool->credit = pool->advise && is_sampling() ? BUDGET : NEVER;
	return pool->credit != NEVER;
}

/* --- telling the kernel; the site's lock is held ------------------------------------------- */

static int hint_pool_locked(struct ksm_pool *pool, uint64_t word)
{
	int error = 0;

	/* What is mapped from now on begins with it. */
	pool->hint = word;
	for (struct ksm_slot *slot = pool->first; slot; slot = slot->next) {
		int failed = slot->mapped_pages == 0 ? 0 :
			     ksm_hint_set((void *)slot->base,
					  (size_t)slot->mapped_pages << KSM_PAGE_SHIFT, word);

		error = failed ? failed : error;
	}
	return error;
}

/* Gives all slots of the site the word that its stability asks for. */
static int tell_locked(struct ksm_site *site)
{
	uint64_t word = word_of(site);
	int error = 0;

	for (struct ksm_site_part *part = &site->first; part; part = part->next) {
		int failed = part->pool && part->pool->advise ? hint_pool_locked(part->pool, word) : 0;

		error = failed ? failed : error;
	}
	if (!error && site->record->hint) {
		ksm_stat_set(&site->record->hint, word);
		ksm_stat_add(&ksm_stat->header.stats.rehints_total, 1);
	}
	return error;
}

/* --- pages; the site's lock is held --------------------------------------------------------- */

/* Hashes a page unless that would make it resident or cannot be done. */
static bool hash_page(uintptr_t address, uint64_t *hash)
{
	char copy[KSM_PAGE];
	int error;

	if (!ksm_os_is_resident((const void *)address))
		return false;
	error = ksm_os_read_page((const void *)address, copy);
	if (error) {
		/* EFAULT is the program's doing; all else is the system's, and for ever. */
		if (error != -EFAULT)
			atomic_store_explicit(&refused, true, memory_order_relaxed);
		return false;
	}
	*hash = XXH3_64bits(copy, sizeof(copy));
	return true;
}

/* Compares the pages of the sample before. */
static bool compare_locked(struct ksm_sample *sample)
{
	uint32_t compared = 0;
	uint32_t changed = 0;

	for (uint32_t i = 0; i < PICKS; i++) {
		struct pick *pick = &sample->picks[i];
		struct ksm_slot *slot;
		uint64_t hash;

		if (!pick->address)
			continue;
		slot = ksm_span_slot_at((const void *)pick->address);
		if (!ksm_runs_is_used(&slot->runs,
				      (uint32_t)((pick->address - slot->base) >> KSM_PAGE_SHIFT))) {
			compared++;
			changed++;
		} else if (hash_page(pick->address, &hash)) {
			compared++;
			changed += hash != pick->hash;
		}
	}
	return ksm_stability_note(&sample->stability, compared, changed);
}

/* The first page in use at or after a page of the slot, 0 if it would take long to find. */
static uintptr_t used_page(const struct ksm_slot *slot, uint64_t page)
{
	uint64_t end = ksm_min(page + FORWARD, slot->mapped_pages);

	for (; page < end; page++) {
		if (ksm_runs_is_used(&slot->runs, (uint32_t)page))
			return (uintptr_t)ksm_slot_address(slot, (uint32_t)page);
	}
	return 0;
}

/* The page at a place of the site, a fraction of 2^32 of all its pages. */
static uintptr_t page_at_locked(const struct ksm_site *site, uint64_t total, uint32_t place)
{
	uint64_t page = total * place >> 32;

	for (const struct ksm_site_part *part = &site->first; part; part = part->next) {
		for (const struct ksm_slot *slot = part->pool ? part->pool->first : NULL; slot;
		     slot = slot->next) {
			if (page < slot->mapped_pages)
				return used_page(slot, page);
			page -= slot->mapped_pages;
		}
	}
	return 0;
}

static uint64_t count_pages_locked(const struct ksm_site *site)
{
	uint64_t total = 0;

	for (const struct ksm_site_part *part = &site->first; part; part = part->next) {
		for (const struct ksm_slot *slot = part->pool ? part->pool->first : NULL; slot;
		     slot = slot->next)
			total += slot->mapped_pages;
	}
	return total;
}

static void pick_locked(const struct ksm_site *site, struct ksm_sample *sample)
{
	uint64_t total = count_pages_locked(site);

	for (uint32_t i = 0; i < PICKS; i++) {
		struct pick *pick = &sample->picks[i];
		/* 2^32 over the golden ratio: no two of a sample's places are close. */
		uint32_t place = ++sample->places * UINT32_C(0x9e3779b9);

		pick->address = page_at_locked(site, total, place);
		if (pick->address && !hash_page(pick->address, &pick->hash))
			pick->address = 0;
	}
}

/* --- turns ------------------------------------------------------------------------------- */

static bool sample_locked(struct ksm_site *site, uint64_t now)
{
	struct ksm_sample *sample = site->sample;
	bool changed;

	if (!sample || (sample->taken_ms && now - sample->taken_ms < ksm_options.sample_ms))
		return false;
	changed = compare_locked(sample);
	pick_locked(site, sample);
	sample->taken_ms = now;
	ksm_stat_add(&ksm_stat->header.stats.samples_total, 1);
	if (changed)
		show_locked(site, sample->stability.now);
	/* Also if the last attempt to tell has failed. */
	if (changed || (site->record->hint && site->record->hint != word_of(site)))
		tell_locked(site);
	return true;
}

/* True if the site has slots that were hinted. */
static bool is_worth(const struct ksm_site *site)
{
	return site->advise && __atomic_load_n(&site->record->hint, __ATOMIC_RELAXED) != 0;
}

/* True if a sample was due and was taken. */
static bool try_sample(struct ksm_site *site, uint64_t now)
{
	bool taken;

	if (!is_worth(site) || pthread_mutex_trylock(&site->lock) != 0)
		return false;
	taken = sample_locked(site, now);
	pthread_mutex_unlock(&site->lock);
	return taken;
}

void ksm_sample_turn(struct ksm_site *site)
{
	uint64_t now = ksm_os_now_ms();
	uint32_t count = __atomic_load_n(&ksm_stat->header.sites.count, __ATOMIC_ACQUIRE);

	try_sample(site, now);
	for (uint32_t i = 0; i < LOOK_AT && i < count; i++) {
		uint32_t turn = atomic_fetch_add_explicit(&next_site, 1, memory_order_relaxed);
		struct ksm_site *other = ksm_site_at(turn % count);

		if (other != site && try_sample(other, now))
			return;
	}
}

int ksm_sample_settle(struct ksm_site *site)
{
	struct ksm_sample *sample;
	int error = -ENOMEM;

	pthread_mutex_lock(&site->lock);
	sample = obtain_sample_locked(site);
	if (sample) {
		error = site->advise && ksm_hint_is_taken() ? 0 : -EOPNOTSUPP;
		if (ksm_stability_settle(&sample->stability))
			show_locked(site, KSMALLOC_STABILITY_SETTLED);
		if (!error && site->record->hint != word_of(site))
			error = tell_locked(site);
	}
	pthread_mutex_unlock(&site->lock);
	return error;
}
