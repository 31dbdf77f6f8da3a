/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three steps lead from a call to its site, each only if the one before fails:
 * the thread recalls the stack (no walk at all), the table from
 * the hash of the return addresses to sites (one walk, no lock), and the
 * resolution of each frame to a file (once for each new stack).
 */
#include "site.h"

#include "late.h"
#include "lock.h"
#include "meta.h"
#include "module.h"
#include "policy.h"
#include "stat.h"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define ID_MASK ((UINT64_C(1) << 48) - 1)

#define DENIED_ID (ID_MASK - 1)

#define LABEL_BYTES	 64
#define FEW_STACKS	 512 /* what the table of known stacks begins with; powers of two */
#define MANY_STACKS	 16384
#define ID_TABLE	 (2 * KSMALLOC_MAX_SITES)

static_assert(KSM_MAX_FRAMES == KSMALLOC_MAX_FRAMES, "the segment has room for a whole stack");

/* Known stacks, open addressing. It is replaced by a larger one, and then started anew. */
struct known_stacks {
	uint32_t size;
	uint32_t count;	/* Synchronization: the table's lock */
	/* Hash of return addresses, its low 16 bits replaced by the site's index; 0 is empty. */
	_Atomic uint64_t entries[];
};

static struct {
	pthread_mutex_t lock;		/* Protects count and ids. */
	struct ksm_site *sites;		/* KSMALLOC_MAX_SITES of them */
	uint32_t count;
	struct ksm_site *denied;	/* in place of denied sites; NULL where nothing denies any */
	uint16_t *ids;			/* open addressing by id: index + 1, 0 is empty */
	_Atomic(struct known_stacks *) known;	/* replaced under the lock, read without */
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

static struct known_stacks *make_known(uint32_t size)
{
	struct known_stacks *known =
		ksm_meta_alloc(sizeof(*known) + size * sizeof(known->entries[0]));

	if (known)
		known->size = size;
	return known;
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
	table.known = make_known(FEW_STACKS);
	if (!table.sites || !table.ids || !table.known || !record)
		return -ENOMEM;
	record->flags = KSMALLOC_SITE_OTHER;
	add_site_locked(find_id_locked(ID_MASK), ID_MASK, record,
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

/* Finds the site of an id or makes it with the given frames or label; site other if it cannot. */
static struct ksm_site *obtain(uint64_t id, const struct ksm_module_address *frames, uint32_t count,
			       const char *label)
{
	struct ksm_policy policy = label ? ksm_policy_of_label(label) :
					   ksm_policy_of_frames(frames, count);
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
			record->frame_count = count;
			record->label_string = label_string;
			record->flags = label ? KSMALLOC_SITE_LABEL : 0;
			for (uint32_t i = 0; i < count; i++)
				record->frames[i] =
					(uint64_t)frames[i].module << KSMALLOC_FRAME_MODULE_SHIFT |
					(frames[i].offset & KSMALLOC_FRAME_OFFSET_MASK);
			add_site_locked(entry, id, record, policy);
			site = &table.sites[table.count - 1];
		}
	}
	pthread_mutex_unlock(&table.lock);
	return site;
}

static struct ksm_site *find_label(const char *name, size_t length)
{
	uint64_t id = XXH3_64bits_withSeed(name, length, 1) & ID_MASK;
	struct ksm_site *site = NULL;
	uint16_t *entry;

	pthread_mutex_lock(&table.lock);
	entry = find_id_locked(id ? id : 1);
	if (*entry)
		site = &table.sites[*entry - 1];
	pthread_mutex_unlock(&table.lock);
	return site ? site : obtain(id ? id : 1, NULL, 0, name);
}

/* Leaves out return addresses that came before, so that recursion folds. */
static uint32_t fold(const struct ksm_stack *stack, uintptr_t *folded)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < stack->count; i++) {
		uint32_t seen = 0;

		while (seen < count && folded[seen] != stack->frames[i])
			seen++;
		if (seen == count)
			folded[count++] = stack->frames[i];
	}
	return count;
}

/* Resolves the frames, up to the first outside of every file, and finds their site. */
KSM_COLD static struct ksm_site *resolve(struct ksm_capture *capture, uint32_t count)
{
	uint32_t resolved = 0;
	size_t length = 0;
	uint64_t id;

	for (; resolved < count; resolved++) {
		struct ksm_module_address *frame = &capture->frames[resolved];
		const uint8_t *identity;
		size_t bytes;

		if (ksm_module_resolve(capture->folded[resolved], frame) != 0)
			break;
		bytes = ksm_module_identity(frame->module, &identity);
		memcpy(capture->text + length, identity, bytes);
		memcpy(capture->text + length + bytes, &frame->offset, sizeof(frame->offset));
		length += bytes + sizeof(frame->offset);
	}
	if (resolved == 0)
		return &table.sites[0];
	id = XXH3_64bits(capture->text, length) & ID_MASK;
	return obtain(id ? id : 1, capture->frames, resolved, NULL);
}

static void insert_known(struct known_stacks *known, uint64_t entry)
{
	uint32_t at = (uint32_t)(entry >> 40) & (known->size - 1);

	while (atomic_load_explicit(&known->entries[at], memory_order_relaxed))
		at = (at + 1) & (known->size - 1);
	atomic_store_explicit(&known->entries[at], entry, memory_order_release);
	known->count++;
}

/*
 * Makes room in a table that is three quarters full: a larger one takes the
 * entries over, and the old one stays for readers that still look at it. The
 * largest one is emptied: many stacks fold into few sites, or code came and went.
 */
static struct known_stacks *make_room_locked(struct known_stacks *known)
{
	struct known_stacks *larger = known->size < MANY_STACKS ? make_known(4 * known->size) : NULL;

	if (!larger) {
		for (uint32_t i = 0; i < known->size; i++)
			atomic_store_explicit(&known->entries[i], 0, memory_order_relaxed);
		known->count = 0;
		return known;
	}
	for (uint32_t i = 0; i < known->size; i++) {
		uint64_t entry = atomic_load_explicit(&known->entries[i], memory_order_relaxed);

		if (entry)
			insert_known(larger, entry);
	}
	atomic_store_explicit(&table.known, larger, memory_order_release);
	return larger;
}

/* Remembers that the stack with this hash belongs to the site. */
static void remember(uint64_t hash, uint32_t site)
{
	struct known_stacks *known;

	pthread_mutex_lock(&table.lock);
	known = table.known;
	if (known->count >= known->size / 4 * 3)
		known = make_room_locked(known);
	insert_known(known, (hash & ~UINT64_C(0xffff)) | site);
	pthread_mutex_unlock(&table.lock);
}

/* The site of a captured stack. */
static struct ksm_site *find(struct ksm_capture *capture, uint32_t generation)
{
	uint32_t count = fold(&capture->stack, capture->folded);
	/* The generation is part of the hash, so entries of unloaded code never match. */
	uint64_t hash = XXH3_64bits_withSeed(capture->folded, count * sizeof(capture->folded[0]),
					     generation) |
			UINT64_C(1) << 63;
	struct known_stacks *known = atomic_load_explicit(&table.known, memory_order_acquire);
	uint32_t at = (uint32_t)(hash >> 40) & (known->size - 1);
	struct ksm_site *site;
	uint64_t entry;

	while ((entry = atomic_load_explicit(&known->entries[at], memory_order_acquire)) != 0) {
		if (((entry ^ hash) & ~UINT64_C(0xffff)) == 0)
			return &table.sites[entry & 0xffff];
		at = (at + 1) & (known->size - 1);
	}
	site = resolve(capture, count);
	remember(hash, site->index);
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
	ksm_unwind_capture(&capture->stack, &capture->room, caller, frame);
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

int ksm_site_label_begin(const char *name)
{
	struct ksm_thread *thread = ksm_thread_self ? ksm_thread_self : ksm_thread_create();
	char copy[LABEL_BYTES + 1];
	size_t length;

	if (!name || !name[0])
		return -EINVAL;
	if (!thread)
		return -ENOMEM;
	if (thread->labels >= KSM_LABEL_DEPTH) {
		thread->labels++;
		return -E2BIG;
	}
	length = strnlen(name, LABEL_BYTES);
	memcpy(copy, name, length);
	copy[length] = '\0';
	thread->label_sites[thread->labels] = find_label(copy, length);
	thread->labels++;
	ksm_thread_settle(thread);
	return 0;
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
