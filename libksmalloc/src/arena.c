/* SPDX-License-Identifier: BSD-2-Clause */
#include "arena.h"

#include "aside.h"
#include "fatal.h"
#include "layout.h"
#include "os.h"
#include "region.h"
#include "span.h"
#include "stat.h"
#include "thread.h"

#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <stdatomic.h>
#include <sys/mman.h>

/*
 * jemalloc as it comes, but for realloc(p, 0), which frees as glibc's does. No
 * environment variable and no file of /etc reaches this jemalloc.
 */
#define JE_CONF "zero_realloc:free,background_thread:false"

extern const char *ksm_je_malloc_conf;
const char *ksm_je_malloc_conf = JE_CONF;

/*
 * In the shared layout nothing may depend on time: with a decay time of 0, freed memory is given
 * back by count (third_party/jemalloc/patches). Each part of the process has an arena, and
 * arena 0 is left to jemalloc itself, which takes memory from it when threads come and go.
 */
#define JE_CONF_SHARED JE_CONF ",narenas:33,dirty_decay_ms:0,muzzy_decay_ms:0"
static_assert(KSM_PARTS == 32, "narenas above is one more than there are parts");

/* More than these are not told apart: each grows by a half, so that they hold all that there is. */
#define STRETCHES 256u

static struct {
	atomic_uint first_kept_out; /* arenas from this number on; 0: there can be none. Written at load. */
	atomic_uint kept_out[KSM_PARTS]; /* the arena of each part, 0: none yet */
	atomic_int_fast64_t mapped_bytes;
	atomic_uint stretch_count;	/* also of those that found no room */
	/* What was mapped for kept out arenas. Synchronization: atomic, written once. */
	struct {
		atomic_uintptr_t begin;
		atomic_uintptr_t end;
	} stretches[STRETCHES];
} arenas;

bool ksm_arena_merges(void)
{
	return ksm_region_merges(KSM_REGION_HEAP);
}

uint64_t ksm_arena_mapped_bytes(void)
{
	return (uint64_t)atomic_load_explicit(&arenas.mapped_bytes, memory_order_relaxed);
}

void ksm_arena_init(void)
{
	unsigned int count = 0;
	size_t length = sizeof(count);

	if (ksm_layout_is_shared())
		ksm_je_malloc_conf = JE_CONF_SHARED;
	ksm_arena_bind_thread(0);
	if (ksm_arena_merges())
		ksm_je_mallctl("arenas.narenas", &count, &length, NULL, 0);
	atomic_store_explicit(&arenas.first_kept_out, count, memory_order_relaxed);
}

void ksm_arena_bind_thread(uint32_t ordinal)
{
	unsigned int arena = 1 + ksm_layout_part(ordinal);

	if (ksm_layout_is_shared() && !ksm_aside())
		ksm_je_mallctl("thread.arena", NULL, NULL, &arena, sizeof(arena));
}

/* --- kept out -------------------------------------------------------------------------- */

static unsigned int first_kept_out(void)
{
	return atomic_load_explicit(&arenas.first_kept_out, memory_order_relaxed);
}

static bool is_kept_out(unsigned int arena)
{
	return first_kept_out() && arena >= first_kept_out();
}

/* The kept out arena of the current thread's part, 0 without memory. */
static unsigned int kept_out_arena(void)
{
	atomic_uint *part = &arenas.kept_out[ksm_layout_part(ksm_thread_ordinal())];
	unsigned int arena = atomic_load_explicit(part, memory_order_relaxed);
	unsigned int none = 0;
	size_t length = sizeof(arena);

	if (ksm_likely(arena))
		return arena;
	if (!first_kept_out() ||
	    ksm_je_mallctl("arenas.create", &arena, &length, NULL, 0) != 0)
		return 0;
	/* One of two threads of a part that come here at once makes an arena that is not used. */
	return atomic_compare_exchange_strong(part, &none, arena) ? arena : none;
}

void *ksm_arena_alloc_kept_out(size_t size, size_t alignment, bool zero)
{
	int flags = (alignment > 1 ? MALLOCX_ALIGN(alignment) : 0) | (zero ? MALLOCX_ZERO : 0);
	unsigned int arena = kept_out_arena();
	void *block = NULL;

	/* A thread's cache holds blocks of its usual arena. */
	if (arena)
		block = ksm_je_mallocx(ksm_max(size, 1u), flags | (int)MALLOCX_ARENA(arena) |
								  MALLOCX_TCACHE_NONE);
	if (!block)
		errno = ENOMEM;
	return block;
}

void *ksm_arena_realloc_kept_out(void *block, size_t size)
{
	unsigned int arena = kept_out_arena();
	void *to = NULL;

	if (arena)
		to = ksm_je_rallocx(block, size, (int)MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE);
	if (!to)
		errno = ENOMEM;
	return to;
}

bool ksm_arena_keeps_out(const void *block)
{
	unsigned int arena = 0;
	size_t length = sizeof(arena);

	return block && first_kept_out() &&
	       ksm_je_mallctl("arenas.lookup", &arena, &length, &block, sizeof(block)) == 0 &&
	       is_kept_out(arena);
}

/* --- what jemalloc calls ----------------------------------------------------------------- */

void *ksm_heap_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
int ksm_heap_munmap(void *addr, size_t length);
int ksm_heap_madvise(void *addr, size_t length, int advice);
void ksm_heap_map_for_arena(unsigned int arena);
_Noreturn void ksm_heap_bad_pointer(const char *what);

static void count_mapped(int64_t bytes)
{
	int64_t total = bytes + atomic_fetch_add_explicit(&arenas.mapped_bytes, bytes,
							  memory_order_relaxed);

	if (ksm_stat)
		ksm_stat_set(&ksm_stat->header.stats.heap_mapped_bytes, (uint64_t)total);
}

/* Whose memory jemalloc maps next. Initial-exec: no allocation at the first access. */
static __thread uint32_t mapping_arena __attribute__((tls_model("initial-exec")));

void ksm_heap_map_for_arena(unsigned int arena)
{
	mapping_arena = arena;
}

/* The part that mapping_arena belongs to: a kept out one is used by threads of its part only. */
static uint32_t part_to_map_for(void)
{
	if (is_kept_out(mapping_arena))
		return ksm_layout_part(ksm_thread_ordinal());
	/* Arena 0 is jemalloc's own, the others follow in the order of the parts. */
	return mapping_arena > 0 && mapping_arena <= KSM_PARTS ? mapping_arena - 1 :
								 KSM_REGION_NO_PART;
}

/* Maps memory for jemalloc in the region heap. MAP_FAILED if the kernel is to choose. */
static void *map_in_region(size_t length, int prot, int flags)
{
	uint32_t part = part_to_map_for();
	uintptr_t at;

	while ((at = ksm_region_next_heap(part, length)) != 0) {
		int error = ksm_os_map_place((void *)at, length, prot, flags);

		if (!error)
			return (void *)at;
		if (error != -EEXIST)
			break;
		ksm_region_count_taken();
	}
	return MAP_FAILED;
}

static void note_stretch(void *memory, size_t length)
{
	unsigned int i = atomic_fetch_add_explicit(&arenas.stretch_count, 1, memory_order_relaxed);

	if (i >= STRETCHES)
		return;
	atomic_store(&arenas.stretches[i].begin, (uintptr_t)memory);
	atomic_store(&arenas.stretches[i].end, (uintptr_t)memory + length);
}

/*
 * Where memory is not to be had for the asking (vm.overcommit_memory is 2), jemalloc maps parts of its memory
 * once more, and does not say for which arena. In doubt they are kept out.
 */
static bool lies_in_stretch(const void *memory)
{
	unsigned int count = atomic_load(&arenas.stretch_count);

	for (unsigned int i = 0; i < count && i < STRETCHES; i++) {
		if ((uintptr_t)memory >= atomic_load(&arenas.stretches[i].begin) &&
		    (uintptr_t)memory < atomic_load(&arenas.stretches[i].end))
			return true;
	}
	return count > STRETCHES;
}

/* New memory merges or does not, as the policy has it. */
static void introduce(void *memory, size_t length, bool is_mapped_again)
{
	bool keep_out = is_mapped_again ? lies_in_stretch(memory) : is_kept_out(mapping_arena);

	if (keep_out && !is_mapped_again)
		note_stretch(memory, length);
	if (keep_out)
		ksm_region_keep_out(memory, length);
	else
		ksm_region_introduce(KSM_REGION_HEAP, memory, length);
}

/* free(3) takes what lies where slots do for a block of theirs, so jemalloc's memory must not lie there. */
static bool reaches_into_slots(const void *memory, size_t length)
{
	size_t ignored;
	uintptr_t begin = ksm_span_map.base;

	return begin && (uintptr_t)memory < ksm_span_upper_half(&ignored) &&
	       (uintptr_t)memory + length > begin;
}

void *ksm_heap_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	int saved_errno = errno;
	void *memory = MAP_FAILED;

	if (ksm_layout_is_shared() && !addr)
		memory = map_in_region(length, prot, flags);
	if (memory == MAP_FAILED)
		memory = ksm_os_mmap_raw(addr, length, prot, flags, fd, offset);
	if (memory == MAP_FAILED)
		return memory;
	/* The kernel has no other place for blocks of tens of TiB. */
	if (ksm_unlikely(reaches_into_slots(memory, length))) {
		ksm_os_munmap_raw(memory, length);
		errno = ENOMEM;
		return MAP_FAILED;
	}
	introduce(memory, length, flags & MAP_FIXED);
	errno = saved_errno;
	if (!(flags & MAP_FIXED))
		count_mapped((int64_t)length);
	return memory;
}

int ksm_heap_munmap(void *addr, size_t length)
{
	int saved_errno = errno;
	int result = ksm_os_munmap_raw(addr, length);

	if (result == 0)
		count_mapped(-(int64_t)length);
	errno = saved_errno;
	return result;
}

int ksm_heap_madvise(void *addr, size_t length, int advice)
{
	int saved_errno = errno;
	int result = ksm_os_madvise_raw(addr, length, advice);

	if (result == 0)
		errno = saved_errno;
	return result;
}

void ksm_heap_bad_pointer(const char *what)
{
	ksm_fatal(what);
}
