/* SPDX-License-Identifier: BSD-2-Clause */
#include "calls/mapped.h"

#include "arena/aside.h"
#include "calls/fork.h"
#include "origin/mark.h"
#include "system/option.h"
#include "origin/origin.h"
#include "os/os.h"
#include "layout/span.h"
#include "calls/start.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define ALWAYS	    1024u	    /* calls that are asked whatever they map */
#define LARGE	    (256 * KSM_KIB) /* mappings that are always asked for */
#define LARGE_LATER (16 * KSM_MIB)  /* the same where marks are running out */
#define MANY_MARKS  (KSMALLOC_MAX_MARKS / 4 * 3)

static atomic_uint asked;
static atomic_uint_fast64_t not_asked_bytes; /* since the last call that was */
static atomic_bool has_reservations;

/* True if this call is to be asked; weight is what it stands for. */
static bool is_due(size_t length, uint64_t *weight)
{
	uint64_t large = ksm_mark_count() < MANY_MARKS ? LARGE : LARGE_LATER;
	uint64_t bytes;

	*weight = length;
	if (length >= large ||
	    (large == LARGE && atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed) < ALWAYS))
		return true;
	bytes = length + atomic_fetch_add_explicit(&not_asked_bytes, length, memory_order_relaxed);
	if (bytes < large)
		return false;
	atomic_fetch_sub_explicit(&not_asked_bytes, bytes, memory_order_relaxed);
	*weight = bytes;
	return true;
}

/* A small program that maps little, also in many pieces, need not be set up for sites. */
static bool is_started(size_t length)
{
	static atomic_uint_fast64_t before;

	if (ksm_start_has_slots())
		return true;
	return atomic_fetch_add_explicit(&before, length, memory_order_relaxed) + length >= LARGE && ksm_start_slots();
}

/* Where no block is placed, since Valgrind watches the program, stacks are not looked at, either: that is an error to it. */
static bool is_wanted(void)
{
	return ksm_options.stats && ksm_options.mark_bytes && !ksm_aside() && ksm_gate.place_from != UINTPTR_MAX;
}

/*
 * An interpreter has mapped some memory before it ran a script, and cuts it up from its lower end on while the script
 * runs, without a call that is seen. Its code is the first of what it has there: what lies behind that is the script's. It is
 * seen when the script has made the interpreter map more.
 */
static void note_script(uint32_t origin)
{
	static atomic_bool is_noted;
	uintptr_t code = (uintptr_t)ksm_origin_code();
	uintptr_t begin = ksm_align_up(code, KSM_PAGE);
	struct ksm_mark_of of = { .origin = origin, .kind = KSMALLOC_MARK_MAPPING };
	uint32_t before;
	size_t rest = 0;

	if (!code || atomic_load_explicit(&is_noted, memory_order_relaxed) || !ksm_origin_is_script(origin))
		return;
	atomic_store_explicit(&is_noted, true, memory_order_relaxed);
	before = ksm_mark_find(begin, KSMALLOC_MARK_MAPPING, &rest);
	of.weight = rest;
	if (before && !ksm_origin_is_script(before))
		ksm_mark_set(begin, rest, &of);
}

/* taken: bytes that it will be memory, which a reservation is not yet. */
static struct ksm_mapped_by ask(size_t length, size_t taken, uintptr_t caller, uintptr_t frame)
{
	struct ksm_mapped_by by = { 0, 0 };
	int saved_errno = errno;

	if (is_wanted() && is_started(length) && *ksm_fork_mark != KSM_FORK_UNNOTICED &&
	    is_due(length, &by.weight))
		by.origin = ksm_origin_capture_mapping(caller, frame, taken);
	if (by.origin)
		note_script(by.origin);
	errno = saved_errno;
	return by;
}

static bool is_marked_kind(int flags)
{
	return (flags & MAP_ANONYMOUS) && (flags & MAP_TYPE) == MAP_PRIVATE;
}

struct ksm_mapped_by ksm_mapped_ask(size_t length, int prot, int flags, uintptr_t caller, uintptr_t frame)
{
	if (!is_marked_kind(flags) || length == 0)
		return (struct ksm_mapped_by){ 0, 0 };
	return ask(length, prot == PROT_NONE ? 0 : length, caller, frame);
}

static size_t whole(size_t length)
{
	return ksm_align_up(length, KSM_PAGE);
}

static void mark(struct ksm_mapped_by by, void *addr, size_t length, bool is_reserved)
{
	const struct ksm_mark_of of = {
		.weight = ksm_max(by.weight, whole(length)),
		.origin = by.origin,
		.kind = KSMALLOC_MARK_MAPPING,
		.is_reserved = is_reserved,
	};

	if (is_reserved)
		atomic_store_explicit(&has_reservations, true, memory_order_relaxed);
	ksm_mark_set((uintptr_t)addr, whole(length), &of);
}

void ksm_mapped_note(struct ksm_mapped_by by, void *addr, size_t length, int prot, int flags)
{
	if (by.origin)
		mark(by, addr, length, prot == PROT_NONE);
	else if (flags & MAP_FIXED)
		ksm_mark_clear((uintptr_t)addr, whole(length), KSMALLOC_MARK_MAPPING);
}

void ksm_mapped_note_unmap(const void *addr, size_t length)
{
	ksm_mark_clear((uintptr_t)addr, whole(length), KSMALLOC_MARK_MAPPING);
	ksm_mark_clear((uintptr_t)addr, whole(length), KSMALLOC_MARK_POOL);
}

void ksm_mapped_note_remap(const void *old, size_t old_length, const void *addr, size_t length, int flags)
{
#ifdef MREMAP_DONTUNMAP
	/* What is left there is empty, and belongs to whoever had it. */
	if (flags & MREMAP_DONTUNMAP)
		return;
#endif
	(void)flags;
	ksm_mark_move((uintptr_t)old, whole(old_length), (uintptr_t)addr, whole(length), KSMALLOC_MARK_MAPPING);
}

void ksm_mapped_note_rights(void *addr, size_t length, int prot, uintptr_t caller, uintptr_t frame)
{
	struct ksm_mapped_by by;

	if (prot == PROT_NONE || !atomic_load_explicit(&has_reservations, memory_order_relaxed) ||
	    !ksm_mark_is_reserved((uintptr_t)addr, whole(length), KSMALLOC_MARK_MAPPING))
		return;
	by = ask(length, length, caller, frame);
	if (by.origin)
		mark(by, addr, length, false);
}

/* Threads that come later have no mark: a program that makes one for each job has one job for them. */
#define ASKED_THREADS 256u

struct ksm_mapped_by ksm_mapped_ask_thread(uintptr_t caller, uintptr_t frame)
{
	static atomic_uint threads;

	if (atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) >= ASKED_THREADS)
		return (struct ksm_mapped_by){ 0, 0 };
	return ask(LARGE, 0, caller, frame);
}

/* glibc puts its descriptor at the upper end of the stack. */
void ksm_mapped_note_stack(struct ksm_mapped_by by, size_t length)
{
	uintptr_t end = ksm_align_up((uintptr_t)pthread_self(), KSM_PAGE);
	size_t bytes = whole(length);
	const struct ksm_mark_of of = { .weight = bytes, .origin = by.origin, .kind = KSMALLOC_MARK_STACK };

	if (by.origin && length && bytes < end)
		ksm_mark_set(end - bytes, bytes, &of);
}

/* Steps between calls that are asked grow with what was taken, so that there are some thousand at most. */
#define FINE_STEPS 1024u

void ksm_mapped_note_taken(void *addr, size_t length, uintptr_t caller, uintptr_t frame)
{
	static atomic_uint_fast64_t taken, next;
	static atomic_uint last_origin;
	uint64_t now = length + atomic_fetch_add_explicit(&taken, length, memory_order_relaxed);
	struct ksm_mark_of of = { .weight = whole(length), .kind = KSMALLOC_MARK_POOL };

	if (now >= atomic_load_explicit(&next, memory_order_relaxed) && is_wanted() && is_started(LARGE) &&
	    *ksm_fork_mark != KSM_FORK_UNNOTICED) {
		uint32_t origin = ksm_origin_capture(caller, frame);

		atomic_store_explicit(&next, now + ksm_max(now / FINE_STEPS, ksm_options.mark_bytes), memory_order_relaxed);
		atomic_store_explicit(&last_origin, origin, memory_order_relaxed);
	}
	of.origin = atomic_load_explicit(&last_origin, memory_order_relaxed);
	ksm_mark_set((uintptr_t)addr, whole(length), &of);
}

void ksm_mapped_note_pool(void *addr, size_t length, uintptr_t caller, uintptr_t frame)
{
	struct ksm_mapped_by by = ask(length, length, caller, frame);
	const struct ksm_mark_of of = { .weight = ksm_max(by.weight, whole(length)), .origin = by.origin,
					.kind = KSMALLOC_MARK_POOL };

	if (by.origin)
		ksm_mark_set((uintptr_t)addr, whole(length), &of);
}
