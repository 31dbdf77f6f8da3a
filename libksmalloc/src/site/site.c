/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three steps lead from a call to its site, each only if the one before fails:
 * the thread recalls the stack (no walk at all), the table from
 * the hash of the return addresses to sites (one walk, no lock), and the
 * resolution of each frame to a file (once for each new stack).
 */
#include "site/site.h"

#include "site/frames.h"
#include "site/known.h"
#include "system/late.h"
#include "system/lock.h"
#include "system/meta.h"
#include "site/module.h"
#include "site/policy.h"
#include "segment/stat.h"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define OTHER_ID  KSM_ID_MASK
#define DENIED_ID (KSM_ID_MASK - 1)

#define LABEL_BYTES	 64
#define ID_TABLE	 (2 * KSMALLOC_MAX_SITES)

static struct {
	pthread_mutex_t lock;		/* Protects count and ids. */
	struct ksm_site *sites;		/* KSMALLOC_MAX_SITES of them */
	uint32_t count;
	struct ksm_site *denied;	/* in place of denied sites; NULL where nothing denies any */
	uint16_t *ids;			/* open addressing by id: index + 1, 0 is empty */
	struct ksm_known known;		/* stacks */
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct ksm_site *ksm_site_at(uint32_t index)
{
	return &table.sites[index];
}

/* The entry of an id in table.ids; the table's lock is held. */
static uint16_t *find_id_locked(uint64_t id)
{
	uint32_t at = (uint32_t)(id % ID_TABLE);

	while (table.ids[at] && table.sites[table.ids[at] - 1].id != id)
		at = (at + 1) % ID_TABLE;
	return &table.ids[at];
}

static void add_site_locked(uint16_t *entry, uint64_t id, struct ksmalloc_segment_site *record,
			    struct ksm_policy policy)
{
	struct ksm_site *site = &table.sites[table.count];

	ksm_lock_init(&site->lock);
	site->id = id;
	site->index = table.count;
	site->advise = policy.advise;
	site->denied = policy.denied;
	site->priority = policy.priority;
	site->record = record;
	record->id = id;
	if (!policy.advise)
		record->flags |= KSMALLOC_SITE_DENIED;
	ksm_stat_commit_site(table.count);
	table.count++;
	*entry = (uint16_t)table.count;
}

static int add_site_of_denied(void)
{
	struct ksmalloc_segment_site *record = ksm_stat_prepare_site(table.count);

	if (!record)
		return -ENOMEM;
	record->flags = KSMALLOC_SITE_OTHER;
	table.denied = &table.sites[table.count];
	add_site_locked(find_id_locked(DENIED_ID), DENIED_ID, record,
			(struct ksm_policy){ .denied = true });
	return 0;
}

int ksm_site_init(void)
{
	struct ksmalloc_segment_site *record = ksm_stat_prepare_site(0);

	table.sites = ksm_meta_alloc(KSMALLOC_MAX_SITES * sizeof(struct ksm_site));
	table.ids = ksm_meta_alloc(ID_TABLE * sizeof(table.ids[0]));
	if (!table.sites || !table.ids || !record || ksm_known_init(&table.known, false) != 0)
		return -ENOMEM;
	record->flags = KSMALLOC_SITE_OTHER;
	add_site_locked(find_id_locked(OTHER_ID), OTHER_ID, record,
			ksm_policy_of_label("other"));
	return ksm_policy_has_denials() ? add_site_of_denied() : 0;
}

struct ksm_site *ksm_site_instead_of(struct ksm_site *site)
{
	return site->denied ? table.denied : &table.sites[0];
}

struct ksm_site *ksm_site_of_denied(void)
{
	return table.denied;
}

/* Finds the site of an id or makes it with a resolved stack or a label; site other if it cannot. */
static struct ksm_site *obtain(uint64_t id, const struct ksm_capture *stack, const char *label)
{
	struct ksm_policy policy = label ? ksm_policy_of_label(label) :
					   ksm_policy_of_frames(stack->frames, stack->frame_count);
	uint32_t label_string = label ? ksm_stat_add_string(label, strlen(label)) : 0;
	struct ksmalloc_segment_site *record;
	struct ksm_site *site = policy.denied ? table.denied : &table.sites[0];
	uint16_t *entry;

	pthread_mutex_lock(&table.lock);
	entry = find_id_locked(id);
	if (*entry) {
		site = &table.sites[*entry - 1];
	} else {
		record = ksm_stat_prepare_site(table.count);
		if (record) {
			record->label_string = label_string;
			record->flags = label ? KSMALLOC_SITE_LABEL : 0;
			if (stack) {
				record->frame_count = stack->frame_count;
				ksm_frames_pack(stack, record->frames);
			}
			add_site_locked(entry, id, record, policy);
			site = &table.sites[table.count - 1];
		}
	}
	pthread_mutex_unlock(&table.lock);
	return site;
}

static struct ksm_site *find_label(const char *name, size_t length)
{
	uint64_t id = XXH3_64bits_withSeed(name, length, 1) & KSM_ID_MASK;
	struct ksm_site *site = NULL;
	uint16_t *entry;

	pthread_mutex_lock(&table.lock);
	entry = find_id_locked(id ? id : 1);
	if (*entry)
		site = &table.sites[*entry - 1];
	pthread_mutex_unlock(&table.lock);
	return site ? site : obtain(id ? id : 1, NULL, name);
}

/* Resolves the frames and finds their site. */
KSM_COLD static struct ksm_site *resolve(struct ksm_capture *capture)
{
	ksm_frames_resolve(capture);
	if (capture->frame_count == 0)
		return &table.sites[0];
	return obtain(ksm_frames_id(capture->text, capture->text_bytes), capture, NULL);
}

/* The site of a captured stack. */
static struct ksm_site *find(struct ksm_capture *capture, uint32_t generation)
{
	uint64_t hash = ksm_frames_hash(capture, generation);
	struct ksm_site *site;
	uint32_t index;

	if (ksm_known_find(&table.known, hash, &index))
		return &table.sites[index];
	site = resolve(capture);
	pthread_mutex_lock(&table.lock);
	ksm_known_add_locked(&table.known, hash, site->index);
	pthread_mutex_unlock(&table.lock);
	return site;
}

KSM_COLD static struct ksm_site *capture_site(struct ksm_thread *thread, uintptr_t caller,
					      uintptr_t frame)
{
	struct ksm_capture *capture = &thread->capture;
	uint32_t generation = ksm_module_generation();
	struct ksm_site *site;

	thread->capturing = true;
	ksm_thread_settle(thread);
	if (thread->generation != generation) {
		/* Code came or went: what lies at an address now may be another function. */
		ksm_recall_clear(&thread->recall);
		thread->generation = generation;
	}
	ksm_frames_walk(capture, caller, frame);
	site = find(capture, generation);
	ksm_recall_add(&thread->recall, &capture->stack, &thread->magazines[site->index]);
	thread->capturing = false;
	ksm_thread_settle(thread);
	ksm_stat_add(&ksm_stat->header.stats.captures_total, 1);
	return site;
}

struct ksm_site *ksm_site_current(uintptr_t caller, uintptr_t frame)
{
	struct ksm_thread *thread = ksm_thread_self ? ksm_thread_self : ksm_thread_create();
	struct ksm_magazine **magazine;

	if (ksm_unlikely(!thread) || ksm_unlikely(thread->capturing))
		return NULL;
	if (thread->labels)
		return thread->label_sites[ksm_min(thread->labels, KSM_LABEL_DEPTH) - 1];
	magazine = ksm_site_recall(thread, caller, frame);
	return magazine ? &table.sites[magazine - thread->magazines] :
			  capture_site(thread, caller, frame);
}

struct ksm_site *ksm_site_of_label(const char *name)
{
	char copy[LABEL_BYTES + 1];
	size_t length = strnlen(name, LABEL_BYTES);

	memcpy(copy, name, length);
	copy[length] = '\0';
	return find_label(copy, length);
}

/* Opens a label: that of the site, or of the name if there is no site yet. */
static int begin_label(struct ksm_site *site, const char *name)
{
	struct ksm_thread *thread = ksm_thread_self ? ksm_thread_self : ksm_thread_create();

	if (!thread)
		return -ENOMEM;
	if (thread->labels >= KSM_LABEL_DEPTH) {
		thread->labels++;
		return -E2BIG;
	}
	thread->label_sites[thread->labels] = site ? site : ksm_site_of_label(name);
	thread->labels++;
	ksm_thread_settle(thread);
	return 0;
}

int ksm_site_label_begin(const char *name)
{
	return name && name[0] ? begin_label(NULL, name) : -EINVAL;
}

int ksm_site_label_id(const char *name)
{
	return name && name[0] ? (int)ksm_site_of_label(name)->index + 1 : -EINVAL;
}

int ksm_site_label_begin_id(int id)
{
	uint32_t count = ksm_stat ? __atomic_load_n(&ksm_stat->header.sites.count, __ATOMIC_ACQUIRE) : 0;

	if (id <= 0 || (uint32_t)id > count ||
	    !(ksm_stat->sites[id - 1].flags & (KSMALLOC_SITE_LABEL | KSMALLOC_SITE_OTHER)))
		return -EINVAL;
	return begin_label(&table.sites[id - 1], NULL);
}

void ksm_site_label_end(void)
{
	struct ksm_thread *thread = ksm_thread_self;

	if (!thread || !thread->labels)
		return;
	thread->labels--;
	ksm_thread_settle(thread);
}

void ksm_site_flush(void)
{
	ksm_module_invalidate();
	ksm_unwind_flush();
}

void ksm_site_refresh(void)
{
	static atomic_ullong seen;
	unsigned long long now = ksm_late_code_changes();

	/* Two threads may forget twice; none goes on before it is done. */
	if (!ksm_stat || now == atomic_load(&seen))
		return;
	ksm_site_flush();
	atomic_store(&seen, now);
}

void ksm_site_lock_all(void)
{
	pthread_mutex_lock(&table.lock);
	for (uint32_t i = 0; i < table.count; i++)
		pthread_mutex_lock(&table.sites[i].lock);
}

void ksm_site_unlock_all(void)
{
	for (uint32_t i = table.count; i > 0; i--)
		pthread_mutex_unlock(&table.sites[i - 1].lock);
	pthread_mutex_unlock(&table.lock);
}

void ksm_site_postfork_child(void)
{
	for (uint32_t i = 0; i < table.count; i++)
		ksm_lock_init(&table.sites[i].lock);
	pthread_mutex_init(&table.lock, NULL);
}
