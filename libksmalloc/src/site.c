/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three steps lead from a call to its site, each only if the one before fails:
 * the thread's cache of recognisable stacks (no walk at all), the table from
 * the hash of the return addresses to sites (one walk, no lock), and the
 * resolution of each frame to a file (once for each new stack).
 */
#include "site.h"

#include "meta.h"
#include "module.h"
#include "policy.h"
#include "stat.h"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

#include <errno.h>
#include <string.h>

#define ID_MASK ((UINT64_C(1) << 48) - 1)

#define CACHE_SETS	 16	/* stacks that share a caller and a frame address fall into one set */
#define CACHE_WAYS	 4
#define LABEL_DEPTH	 16
#define LABEL_BYTES	 64
#define FEW_STACKS	 512 /* what the table of known stacks begins with; powers of two */
#define MANY_STACKS	 16384
#define ID_TABLE	 (2 * KSMALLOC_MAX_SITES)

static_assert(KSM_MAX_FRAMES == KSMALLOC_MAX_FRAMES, "the segment has room for a whole stack");

struct cache_entry {
	struct ksm_stack stack;
	uint32_t generation;
	struct ksm_site *site;
};

/* What a thread keeps. Synchronization: its own thread only, the list under the table's lock. */
struct thread {
	struct thread *next_free;
	bool capturing;
	uint32_t labels;	/* labels that are open, also those beyond LABEL_DEPTH */
	struct ksm_site *label_sites[LABEL_DEPTH];
	uint32_t victim;	/* the way that is replaced next */
	struct cache_entry cache[CACHE_SETS][CACHE_WAYS];
};

/* Known stacks, open addressing. It is replaced by a larger one, and then started anew. */
struct known_stacks {
	uint32_t size;
	uint32_t count;	/* Synchronization: the table's lock */
	/* Hash of return addresses, its low 16 bits replaced by the site's index; 0 is empty. */
	_Atomic uint64_t entries[];
};

static struct {
	pthread_mutex_t lock;		/* Protects count, ids and free_threads. */
	struct ksm_site *sites;		/* KSMALLOC_MAX_SITES of them */
	uint32_t count;
	uint16_t *ids;			/* open addressing by id: index + 1, 0 is empty */
	struct thread *free_threads;	/* LIFO */
	_Atomic(struct known_stacks *) known;	/* replaced under the lock, read without */
	pthread_key_t key;
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Initial-exec: the general model may call malloc at a thread's first access. */
static __thread struct thread *self __attribute__((tls_model("initial-exec")));
static __thread uint32_t ordinal __attribute__((tls_model("initial-exec")));

uint32_t ksm_site_thread_ordinal(void)
{
	return ordinal;
}

void ksm_site_set_thread_ordinal(uint32_t value)
{
	ordinal = value;
}

struct ksm_site *ksm_site_at(uint32_t index)
{
	return &table.sites[index];
}

/* Returns the thread's record to the list; later blocks of this thread make a new one. */
static void thread_exit(void *argument)
{
	struct thread *thread = argument;

	self = NULL;
	pthread_mutex_lock(&table.lock);
	thread->next_free = table.free_threads;
	table.free_threads = thread;
	pthread_mutex_unlock(&table.lock);
}

KSM_COLD static struct thread *thread_create(void)
{
	struct thread *thread;

	pthread_mutex_lock(&table.lock);
	thread = table.free_threads;
	if (thread)
		table.free_threads = thread->next_free;
	pthread_mutex_unlock(&table.lock);
	if (!thread)
		thread = ksm_meta_alloc(sizeof(*thread));
	if (!thread)
		return NULL;
	thread->capturing = false;
	thread->labels = 0;
	self = thread;
	/* May allocate; the record is in place by then, and large blocks are rare there. */
	pthread_setspecific(table.key, thread);
	return thread;
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

	pthread_mutex_init(&site->lock, NULL);
	site->id = id;
	site->index = table.count;
	site->advise = policy.advise;
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

int ksm_site_init(void)
{
	struct ksmalloc_segment_site *record = ksm_stat_prepare_site(0);

	table.sites = ksm_meta_alloc(KSMALLOC_MAX_SITES * sizeof(struct ksm_site));
	table.ids = ksm_meta_alloc(ID_TABLE * sizeof(table.ids[0]));
	table.known = make_known(FEW_STACKS);
	if (!table.sites || !table.ids || !table.known || !record)
		return -ENOMEM;
	if (pthread_key_create(&table.key, thread_exit) != 0)
		return -ENOMEM;
	record->flags = KSMALLOC_SITE_OTHER;
	add_site_locked(find_id_locked(ID_MASK), ID_MASK, record,
			ksm_policy_of_label("other"));
	return 0;
}

/* Finds the site of an id or makes it with the given frames or label; site other if it cannot. */
static struct ksm_site *obtain(uint64_t id, const struct ksm_module_address *frames, uint32_t count,
			       const char *label)
{
	struct ksm_policy policy = label ? ksm_policy_of_label(label) :
					   ksm_policy_of_frames(frames, count);
	uint32_t label_string = label ? ksm_stat_add_string(label, strlen(label)) : 0;
	struct ksmalloc_segment_site *record;
	struct ksm_site *site = &table.sites[0];
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
KSM_COLD static struct ksm_site *resolve(const uintptr_t *addresses, uint32_t count)
{
	struct ksm_module_address frames[KSM_MAX_FRAMES];
	XXH3_state_t state;
	uint32_t resolved = 0;
	uint64_t id;

	XXH3_64bits_reset(&state);
	for (; resolved < count; resolved++) {
		struct ksm_module_address *frame = &frames[resolved];
		const uint8_t *identity;
		size_t length;

		if (ksm_module_resolve(addresses[resolved], frame) != 0)
			break;
		length = ksm_module_identity(frame->module, &identity);
		XXH3_64bits_update(&state, identity, length);
		XXH3_64bits_update(&state, &frame->offset, sizeof(frame->offset));
	}
	if (resolved == 0)
		return &table.sites[0];
	id = XXH3_64bits_digest(&state) & ID_MASK;
	return obtain(id ? id : 1, frames, resolved, NULL);
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
static struct ksm_site *find(const struct ksm_stack *stack, uint32_t generation)
{
	uintptr_t folded[KSM_MAX_FRAMES];
	uint32_t count = fold(stack, folded);
	/* The generation is part of the hash, so entries of unloaded code never match. */
	uint64_t hash = XXH3_64bits_withSeed(folded, count * sizeof(folded[0]), generation) |
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
	site = resolve(folded, count);
	remember(hash, site->index);
	return site;
}

static uint32_t cache_set(uintptr_t caller, uintptr_t frame)
{
	return (uint32_t)(((caller >> 1) * UINT64_C(0x9e3779b97f4a7c15) ^
			   (frame >> 4) * UINT64_C(0xc2b2ae3d27d4eb4f)) >> 40) % CACHE_SETS;
}

KSM_COLD static struct ksm_site *capture(struct thread *thread, struct cache_entry *set,
					 uintptr_t caller, uintptr_t frame)
{
	struct cache_entry *entry = &set[thread->victim++ % CACHE_WAYS];
	uint32_t generation = ksm_module_generation();

	thread->capturing = true;
	ksm_unwind_capture(&entry->stack, caller, frame);
	entry->site = find(&entry->stack, generation);
	entry->generation = generation;
	thread->capturing = false;
	ksm_stat_add(&ksm_stat->header.stats.captures_total, 1);
	return entry->site;
}

struct ksm_site *ksm_site_current(uintptr_t caller, uintptr_t frame)
{
	struct thread *thread = self;
	struct cache_entry *set;

	if (ksm_unlikely(!thread)) {
		thread = thread_create();
		if (!thread)
			return NULL;
	}
	if (ksm_unlikely(thread->capturing))
		return NULL;
	if (thread->labels)
		return thread->label_sites[ksm_min(thread->labels, LABEL_DEPTH) - 1];
	set = thread->cache[cache_set(caller, frame)];
	for (uint32_t way = 0; way < CACHE_WAYS; way++) {
		if (ksm_unwind_matches(&set[way].stack, caller, frame) &&
		    set[way].generation == ksm_module_generation())
			return set[way].site;
	}
	return capture(thread, set, caller, frame);
}

int ksm_site_label_begin(const char *name)
{
	struct thread *thread = self ? self : thread_create();
	char copy[LABEL_BYTES + 1];
	size_t length;

	if (!name || !name[0])
		return -EINVAL;
	if (!thread)
		return -ENOMEM;
	if (thread->labels >= LABEL_DEPTH) {
		thread->labels++;
		return -E2BIG;
	}
	length = strnlen(name, LABEL_BYTES);
	memcpy(copy, name, length);
	copy[length] = '\0';
	thread->label_sites[thread->labels] = find_label(copy, length);
	thread->labels++;
	return 0;
}

void ksm_site_label_end(void)
{
	if (self && self->labels)
		self->labels--;
}

void ksm_site_flush(void)
{
	ksm_module_invalidate();
	ksm_unwind_flush();
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
		pthread_mutex_init(&table.sites[i].lock, NULL);
	pthread_mutex_init(&table.lock, NULL);
}
