/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two steps lead from a call to its origin, the second only if the first fails: the table from the hash of the
 * addresses, and of what the interpreter is executing, to origins (one walk, no lock), and the resolution of each
 * frame (once for each new stack).
 */
#include "origin/origin.h"

#include "site/frames.h"
#include "origin/intern.h"
#include "site/known.h"
#include "language/language.h"
#include "layout/layout.h"
#include "site/loader.h"
#include "system/lock.h"
#include "site/lookup.h"
#include "system/meta.h"
#include "site/module.h"
#include "os/os.h"
#include "segment/stat.h"
#include "site/thread.h"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static_assert(KSMALLOC_MAX_ORIGINS <= UINT16_MAX, "an index is kept in 16 bits");

static struct {
	pthread_mutex_t lock;	/* Protects ids, and what intern has. */
	bool is_there;		/* Synchronization: written with release when all of it is. */
	struct ksm_lookup ids;	/* by id: numbers are indices */
	struct ksm_known known;	/* stacks */
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

int ksm_origin_init(void)
{
	if (ksm_lookup_init(&table.ids, KSMALLOC_MAX_ORIGINS - 1) != 0 ||
	    ksm_known_init(&table.known, ksm_layout_is_shared()) != 0 || ksm_intern_init() != 0)
		return -ENOMEM;
	__atomic_store_n(&table.is_there, true, __ATOMIC_RELEASE);
	return 0;
}

static uint64_t hash_of(uint32_t index)
{
	return ksm_stat->origins[index].id;
}

/* Code outside of every file is not part of an id, and makes another origin all the same. */
static bool is_same(uint32_t index, const void *wanted)
{
	const struct ksmalloc_segment_origin *one = &ksm_stat->origins[index];
	const struct ksmalloc_segment_origin *other = wanted;

	return one->id == other->id && one->frame_count == other->frame_count &&
	       memcmp(one->frames, other->frames, one->frame_count * sizeof(one->frames[0])) == 0;
}

/* The index of an origin, which is added if it is new; 0 if there is no room. */
static uint32_t obtain_locked(const struct ksmalloc_segment_origin *origin)
{
	uint32_t index = ksm_lookup_find(&table.ids, origin->id, is_same, origin);

	if (index)
		return index;
	if (ksm_stat_add_origin(origin) < 0) {
		ksm_stat_add(&ksm_stat->header.origins_dropped_total, 1);
		return 0;
	}
	ksm_lookup_add(&table.ids, hash_of);
	return table.ids.count;
}

/*
 * Writes the names of a frame of the interpreter to the segment, and returns the id that an origin has with it; what is in
 * an id is what the names are, not where they lie.
 */
static uint64_t name_frame_locked(const struct ksm_script_frame *frame, uint64_t id, uint16_t *index)
{
	struct ksmalloc_segment_script_frame named = { .line = frame->line, .language = frame->language };
	char text[KSM_SCRIPT_FILE_BYTES];
	size_t length = ksm_intern_utf8(&frame->file, text, sizeof(text));

	named.file_string = ksm_intern(text, length);
	id = XXH3_64bits_withSeed(text, length, id);
	length = ksm_intern_utf8(&frame->owner, text, KSM_SCRIPT_FUNCTION_BYTES);
	if (length) {
		size_t between = strlen(frame->separator);

		memcpy(text + length, frame->separator, between);
		length += between;
	}
	length += ksm_intern_utf8(&frame->function, text + length, KSM_SCRIPT_FUNCTION_BYTES);
	if (frame->made_number)
		length += (size_t)snprintf(text + length, 12, "%u", frame->made_number);
	named.function_string = ksm_intern(text, length);
	*index = ksm_intern_script_frame(&named);
	return XXH3_64bits_withSeed(text, length, id ^ frame->line);
}

/* Adds what the interpreter is executing. */
static void name_script_locked(const struct ksm_script *script, struct ksmalloc_segment_origin *origin)
{
	for (uint32_t i = 0; i < script->count; i++)
		origin->id = name_frame_locked(&script->frames[i], origin->id, &origin->script_frames[i]);
	origin->script_frame_count = (uint16_t)script->count;
	origin->id &= KSM_ID_MASK;
	origin->id += !origin->id;
}

static void add_frames_locked(const struct ksm_capture *capture, struct ksmalloc_segment_origin *origin)
{
	uint64_t frames[KSM_MAX_FRAMES];

	ksm_frames_pack(capture, frames);
	for (uint32_t i = 0; i < capture->frame_count; i++)
		origin->frames[i] = ksm_intern_frame(frames[i]);
	origin->frame_count = (uint16_t)capture->frame_count;
}

/*
 * How much of a stack an origin is made of, by how many there are: a service that runs for days comes by more stacks than there is room
 * for, and by far fewer functions. What is taken last is to have a name, too, though it may be no more than that.
 */
static const struct detail {
	uint32_t from; /* so many origins */
	uint32_t script_frames;
	uint32_t frames; /* of a stack with frames of a script; others keep LEAST_ALONE at least */
} details[] = {
	{ KSMALLOC_MAX_ORIGINS / 32 * 31, 0, 3 },
	{ KSMALLOC_MAX_ORIGINS / 8 * 7, 1, 2 },
	{ KSMALLOC_MAX_ORIGINS / 4 * 3, 3, 4 },
	{ KSMALLOC_MAX_ORIGINS / 2, 6, 8 },
	{ 0, KSMALLOC_MAX_SCRIPT_FRAMES, KSM_MAX_FRAMES },
};

#define LEAST_ALONE 4u

static const struct detail *find_detail(void)
{
	const struct detail *detail = details;
	uint32_t count;

	pthread_mutex_lock(&table.lock);
	count = table.ids.count;
	pthread_mutex_unlock(&table.lock);
	while (count < detail->from)
		detail++;
	return detail;
}

/* Leaves out what is beyond that, outermost first. Who has no function of the script any more is told of as one without room. */
static void cut(struct ksm_capture *capture)
{
	const struct detail *detail = find_detail();
	uint32_t frames = detail->frames;

	if (capture->script.count && !detail->script_frames)
		ksm_stat_add(&ksm_stat->header.origins_dropped_total, 1);
	if (capture->script.count == 0 && detail->script_frames)
		frames = ksm_max(frames, LEAST_ALONE);
	capture->script.count = ksm_min(capture->script.count, detail->script_frames);
	capture->folded_count = ksm_min(capture->folded_count, frames);
}

/* Resolves a captured stack, and remembers by its hash what it is. */
KSM_COLD static uint32_t resolve(struct ksm_capture *capture, uint64_t hash)
{
	struct ksmalloc_segment_origin origin = { 0 };
	uint32_t index;

	cut(capture);
	ksm_frames_resolve(capture);
	origin.id = ksm_frames_id(capture->text, capture->text_bytes);
	ksm_frames_resolve_beyond(capture);
	ksm_language_find_lines(&capture->script);
	/* A stack that a fork has cut short is not to be known as the whole one. */
	if (ksm_loader_was_refused())
		return 0;
	pthread_mutex_lock(&table.lock);
	add_frames_locked(capture, &origin);
	name_script_locked(&capture->script, &origin);
	index = obtain_locked(&origin);
	ksm_known_add_locked(&table.known, hash, index);
	pthread_mutex_unlock(&table.lock);
	return index;
}

/* Asks what the interpreter is executing; the hash of that and of the stack. */
static uint64_t ask(struct ksm_capture *capture)
{
	ksm_language_walk(&capture->stack, &capture->script);
	return ksm_language_hash(&capture->script, ksm_frames_hash(capture, ksm_module_generation()));
}

static uint32_t find(struct ksm_capture *capture, uintptr_t caller, uintptr_t frame)
{
	uint64_t hash;
	uint32_t index;

	ksm_frames_walk_beyond(capture, caller, frame);
	hash = ask(capture);
	if (ksm_known_find(&table.known, hash, &index))
		return index;
	if (ksm_language_look_again())
		hash = ask(capture);
	return ksm_known_find(&table.known, hash, &index) ? index : resolve(capture, hash);
}

/* Of the locks that a capture takes. */
static enum ksm_lock_holder holder_of_locks(void)
{
	enum ksm_lock_holder holder = ksm_lock_holder(&table.lock);

	holder = ksm_max(holder, ksm_module_lock_holder());
	holder = ksm_max(holder, ksm_stat_lock_holder());
	holder = ksm_max(holder, ksm_meta_lock_holder());
	return ksm_max(holder, ksm_thread_lock_holder());
}

/* Some ten milliseconds: others keep them for less than a turn on the processor. */
#define TRIES 150

/*
 * True where none is held. What this thread holds itself, as its handler has interrupted it there, does not become free
 * while it waits.
 */
static bool wait_for_locks(void)
{
	for (int i = 0; i < TRIES; i++) {
		enum ksm_lock_holder holder = holder_of_locks();

		if (holder != KSM_LOCK_OTHERS)
			return holder == KSM_LOCK_FREE;
		ksm_os_pause();
	}
	return false;
}

static uint32_t capture_in_haste(uintptr_t caller, uintptr_t frame, size_t mapping)
{
	struct ksm_thread *thread;
	uint32_t index;

	if (!wait_for_locks())
		return 0;
	thread = ksm_thread_obtain_at_once();
	if (!thread || thread->capturing || !ksm_module_begin_reading())
		return 0;
	thread->capturing = true;
	thread->capture.mapping = mapping;
	ksm_thread_settle(thread);
	index = find(&thread->capture, caller, frame);
	thread->capturing = false;
	ksm_thread_settle(thread);
	ksm_module_end_reading();
	return index;
}

static uint32_t capture(uintptr_t caller, uintptr_t frame, size_t mapping)
{
	uint32_t index;

	/* A signal handler that maps memory waits for nobody: that one may wait for what it has interrupted. */
	if (!__atomic_load_n(&table.is_there, __ATOMIC_ACQUIRE) || !ksm_loader_begin_haste())
		return 0;
	index = capture_in_haste(caller, frame, mapping);
	ksm_loader_end_haste();
	return index;
}

uint32_t ksm_origin_capture(uintptr_t caller, uintptr_t frame)
{
	return capture(caller, frame, 0);
}

uint32_t ksm_origin_capture_mapping(uintptr_t caller, uintptr_t frame, size_t length)
{
	return capture(caller, frame, length);
}

const void *ksm_origin_code(void)
{
	return ksm_thread_self ? ksm_thread_self->capture.script.code_at : NULL;
}

bool ksm_origin_is_script(uint32_t origin)
{
	return ksm_stat->origins[origin].script_frame_count > 0;
}

void ksm_origin_prefork(void)
{
	pthread_mutex_lock(&table.lock);
}

void ksm_origin_postfork_parent(void)
{
	pthread_mutex_unlock(&table.lock);
}

void ksm_origin_postfork_child(void)
{
	pthread_mutex_init(&table.lock, NULL);
}
