/* SPDX-License-Identifier: BSD-2-Clause */
#include "arena/arena.h"

#include "arena/aside.h"
#include "system/fatal.h"
#include "system/late.h"
#include "layout/layout.h"
#include "origin/mark.h"
#include "system/option.h"
#include "os/os.h"
#include "mapping/region.h"
#include "store/shared.h"
#include "layout/span.h"
#include "segment/stat.h"
#include "layout/stream.h"

#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

/*
 * jemalloc as it comes, but for realloc(p, 0), which frees as glibc's does. No
 * environment variable and no file of /etc reaches this jemalloc.
 * With 192 blocks of a size, instead of 200, what a thread caches is described in six pages instead of seven.
 */
#define JE_CONF "zero_realloc:free,background_thread:false,tcache_nslots_small_max:192," \
	"max_background_threads:1"

extern const char *ksm_je_malloc_conf;
const char *ksm_je_malloc_conf = JE_CONF;

/*
 * In the shared layout nothing may depend on time: with a decay time of 0, freed memory is given
 * back by count (third_party/jemalloc/patches). Each part has an arena, the first thread of a depth has more, and
 * arena 0 is left to jemalloc itself, which takes memory from it when threads come and go.
 */
#define JE_CONF_SHARED JE_CONF ",narenas:193,dirty_decay_ms:0,muzzy_decay_ms:0"
static_assert(KSM_ARENAS == 192, "narenas above is one more than these");

/* A step of growth is one that crosses a multiple of this. */
#define GROWTH (2 * (int64_t)KSM_MIB)

/* More than these are not told apart: each grows by a half, so that they hold all that there is. */
#define STRETCHES 256u

static struct {
	atomic_uint first_kept_out; /* arenas from this number on; 0: there can be none. Written at load. */
	atomic_uint kept_out[KSM_PARTS]; /* the arena of each part, 0: none yet */
	atomic_int_fast64_t mapped_bytes;
	bool is_watched;		/* Written at load. */
	atomic_bool has_grown;
	atomic_uint stretch_count;	/* also of those that found no room */
} arenas;

/* What was mapped for kept out arenas. Synchronization: atomic, written once. */
static struct {
	atomic_uintptr_t begin;
	atomic_uintptr_t end;
} stretches[STRETCHES] KSM_SPARSE;

/* The arena of the first thread in the shared layout, the one that moves; 0: none yet. */
static unsigned int first_arena;

/* jemalloc asks for shelves. Synchronization: written at load. */
extern bool ksm_heap_has_shelves;
bool ksm_heap_has_shelves;

/*
 * What jemalloc has mapped before its memory has marks; pieces beyond the last are lost. Synchronization: atomic. A piece
 * is there once it has a beginning, and whoever takes that away marks it: ksm_arena_mark_memory(), or the thread that has
 * noted it and sees only then that all is over.
 */
struct piece {
	atomic_uintptr_t begin;
	size_t length;
};

#define EARLY_PIECES 16u

static struct {
	struct piece pieces[EARLY_PIECES];
	atomic_uint count;
	atomic_bool is_over;
} early;

/* Synchronization: written once, by ksm_arena_watch(), before there are threads. */
static void (*watcher)(void);

size_t ksm_je_arena_pages(unsigned int arena);
unsigned int ksm_je_describe_bins(const void **arenas_at, uint32_t *sizes, uint32_t *offsets, unsigned int room);
unsigned int ksm_je_describe_kept(uint32_t *offsets, unsigned int room);

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

	if (ksm_layout_is_shared()) {
		ksm_je_malloc_conf = JE_CONF_SHARED;
		ksm_heap_has_shelves = ksm_options.anchors;
	}
	ksm_stream_start_thread(0);
	ksm_arena_bind_thread();
	if (ksm_arena_merges())
		ksm_je_mallctl("arenas.narenas", &count, &length, NULL, 0);
	atomic_store_explicit(&arenas.first_kept_out, count, memory_order_relaxed);
}

int ksm_arena_watch(void (*grown)(void))
{
	if (!ksm_heap_has_shelves || ksm_aside())
		return -ENOTSUP;
	if (watcher)
		return -EBUSY;
	watcher = grown;
	return 0;
}

/* --- arenas of streams ------------------------------------------------------------------- */

/*
 * An arena takes some 100 KiB for itself and for slabs that are half full. So a depth has as many as
 * there are times this in use: they cost a few percent, and what a difference shifts is a part of all that is
 * the smaller the more there is. Anchors that are rare lead to all of them.
 */
#define BYTES_WORTH_AN_ARENA (2 * KSM_MIB)

static unsigned int first_anchored(uint32_t depth)
{
	return 1 + KSM_PARTS + depth * KSM_ARENAS_ANCHORED;
}

/* How many arenas a depth's first thread is to use: a power of two. */
static uint32_t arenas_worth_having(uint32_t depth)
{
	size_t pages = ksm_je_arena_pages(1 + depth * KSM_LANES);
	uint32_t count = 1;

	for (uint32_t i = 0; i < KSM_ARENAS_ANCHORED; i++)
		pages += ksm_je_arena_pages(first_anchored(depth) + i);
	while (count < KSM_ARENAS_ANCHORED && 2 * count * BYTES_WORTH_AN_ARENA <= pages << KSM_PAGE_SHIFT)
		count *= 2;
	return count;
}

/*
 * The arena that the current thread's small blocks come from. The first of a depth's is that of its part, until a process
 * has left its start.
 */
static unsigned int arena_of_thread(void)
{
	uint32_t stream = ksm_stream_now();
	uint32_t depth = ksm_stream_depth();
	uint32_t number;

	if (stream < KSM_PARTS)
		return 1 + stream;
	number = (stream - KSM_PARTS) % (ksm_stream_self.is_rare ? KSM_ARENAS_ANCHORED : arenas_worth_having(depth));
	if (number == 0 && !ksm_stream_self.has_left_start)
		return 1 + depth * KSM_LANES;
	return first_anchored(depth) + number;
}

static void bind_thread(unsigned int arena)
{
	ksm_je_mallctl("thread.arena", NULL, NULL, &arena, sizeof(arena));
	if (ksm_stream_is_first())
		first_arena = arena;
}

void ksm_arena_bind_thread(void)
{
	if (ksm_layout_is_shared() && !ksm_aside())
		bind_thread(arena_of_thread());
}

void ksm_arena_move_thread(void)
{
	unsigned int arena = arena_of_thread();

	if (arena == first_arena)
		return;
	/* What the thread has at hand lies in the arena that it leaves. */
	ksm_je_mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	bind_thread(arena);
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
	atomic_uint *part = &arenas.kept_out[ksm_stream_part()];
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

void ksm_arena_watch_growth(void)
{
	arenas.is_watched = true;
}

bool ksm_arena_has_grown(void)
{
	if (!atomic_load_explicit(&arenas.has_grown, memory_order_relaxed))
		return false;
	atomic_store_explicit(&arenas.has_grown, false, memory_order_relaxed);
	return true;
}

static void note_growth(void)
{
	atomic_store_explicit(&arenas.has_grown, true, memory_order_relaxed);
	if (!ksm_late())
		__atomic_store_n(&ksm_gate.entry_threshold, 0, __ATOMIC_RELAXED);
}

static void count_mapped(int64_t bytes)
{
	int64_t total = bytes + atomic_fetch_add_explicit(&arenas.mapped_bytes, bytes,
							  memory_order_relaxed);

	if (ksm_stat)
		ksm_stat_set(&ksm_stat->header.stats.heap_mapped_bytes, (uint64_t)total);
	if (arenas.is_watched && total / GROWTH != (total - bytes) / GROWTH)
		note_growth();
}

/* Whose memory jemalloc maps next. Initial-exec: no allocation at the first access. */
static __thread uint32_t mapping_arena __attribute__((tls_model("initial-exec")));

void ksm_heap_map_for_arena(unsigned int arena)
{
	mapping_arena = arena;
}

/* Whose stretch memory for mapping_arena lies in: a kept out one is used by threads of its part only. */
static uint32_t arena_to_map_for(void)
{
	if (is_kept_out(mapping_arena))
		return ksm_stream_part();
	/* Jemalloc's arena 0 is its own; the parts' follow, and the anchored ones. */
	return mapping_arena > 0 && mapping_arena <= KSM_ARENAS ? mapping_arena - 1 : KSM_REGION_NO_PART;
}

static void note_stretch(void *memory, size_t length)
{
	unsigned int i = atomic_fetch_add_explicit(&arenas.stretch_count, 1, memory_order_relaxed);

	if (i >= STRETCHES)
		return;
	atomic_store(&stretches[i].begin, (uintptr_t)memory);
	atomic_store(&stretches[i].end, (uintptr_t)memory + length);
}

/*
 * Where memory is not to be had for the asking (vm.overcommit_memory is 2), jemalloc maps parts of its memory
 * once more, and does not say for which arena. In doubt they are kept out.
 */
static bool lies_in_stretch(const void *memory)
{
	unsigned int count = atomic_load(&arenas.stretch_count);

	for (unsigned int i = 0; i < count && i < STRETCHES; i++) {
		if ((uintptr_t)memory >= atomic_load(&stretches[i].begin) &&
		    (uintptr_t)memory < atomic_load(&stretches[i].end))
			return true;
	}
	return count > STRETCHES;
}

bool ksm_arena_may_merge(const void *memory)
{
	return !lies_in_stretch(memory);
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

/* In the private layout readers do not know otherwise which memory is jemalloc's. */
static void mark(uintptr_t begin, size_t length)
{
	const struct ksm_mark_of of = { .weight = length, .kind = KSMALLOC_MARK_HEAP };

	ksm_mark_set(begin, length, &of);
}

/* Marks a piece that was noted early, unless somebody else does. */
static void take_early(struct piece *piece)
{
	uintptr_t begin = atomic_exchange(&piece->begin, 0);

	if (begin)
		mark(begin, piece->length);
}

static void mark_or_note(uintptr_t begin, size_t length)
{
	unsigned int number;

	if (ksm_layout_is_shared())
		return;
	if (atomic_load_explicit(&early.is_over, memory_order_relaxed)) {
		mark(begin, length);
		return;
	}
	number = atomic_fetch_add_explicit(&early.count, 1, memory_order_relaxed);
	if (number >= EARLY_PIECES)
		return;
	early.pieces[number].length = length;
	atomic_store(&early.pieces[number].begin, begin);
	if (atomic_load(&early.is_over))
		take_early(&early.pieces[number]);
}

/* Tells readers where blocks are counted; arenas that are made later have none that stand for others. */
static void describe_bins(struct ksmalloc_segment_bins *bins)
{
	uint32_t sizes[KSMALLOC_MAX_BINS], offsets[KSMALLOC_MAX_BINS];
	unsigned int arena_count = 0;
	size_t length = sizeof(arena_count);
	const void *arenas_at;

	if (ksm_je_mallctl("arenas.narenas", &arena_count, &length, NULL, 0) != 0)
		return;
	bins->count = ksm_je_describe_bins(&arenas_at, sizes, offsets, KSMALLOC_MAX_BINS);
	for (uint32_t i = 0; i < bins->count; i++) {
		bins->bins[i].bytes = sizes[i];
		bins->bins[i].offset = offsets[i];
	}
	bins->arena_count = arena_count;
	bins->arenas_address = (uintptr_t)arenas_at;
}

void ksm_arena_mark_memory(void)
{
	describe_bins(&ksm_stat->header.bins);
	ksm_stat->header.kept.count = ksm_je_describe_kept(ksm_stat->header.kept.offsets, KSMALLOC_MAX_KEPT);
	atomic_store(&early.is_over, true);
	for (unsigned int i = 0; i < EARLY_PIECES; i++)
		take_early(&early.pieces[i]);
}

void *ksm_heap_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	int saved_errno = errno;
	void *memory = NULL;

	if (ksm_layout_is_shared() && !addr)
		memory = ksm_region_map_heap(arena_to_map_for(), length, prot, flags);
	if (!memory)
		memory = ksm_shared_mmap_raw(addr, length, prot, flags, fd, offset);
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
	if (!(flags & MAP_FIXED)) {
		count_mapped((int64_t)length);
		mark_or_note((uintptr_t)memory, length);
	}
	return memory;
}

/*
 * Slabs that no origin was found for yet. A ring: what nobody asks for in time is overwritten. Synchronization: atomic; the
 * thread's own are taken by itself.
 */
#define NEW_SLABS 256u

static struct {
	atomic_uintptr_t thread;
	uintptr_t begin;
	size_t bytes;
} new_slabs[NEW_SLABS] KSM_SPARSE;
static atomic_uint new_slab_count;

static void note_slab(uintptr_t begin, size_t bytes)
{
	unsigned int i = atomic_fetch_add_explicit(&new_slab_count, 1, memory_order_relaxed) % NEW_SLABS;

	new_slabs[i].begin = begin;
	new_slabs[i].bytes = bytes;
	atomic_store_explicit(&new_slabs[i].thread, (uintptr_t)pthread_self(), memory_order_release);
}

/* Those of the thread. */
void ksm_arena_mark_new_slabs(uint32_t origin)
{
	uintptr_t me = (uintptr_t)pthread_self();

	for (unsigned int i = 0; i < NEW_SLABS; i++) {
		struct ksm_mark_of of = { .origin = origin, .kind = KSMALLOC_MARK_HEAP };

		if (atomic_load_explicit(&new_slabs[i].thread, memory_order_acquire) != me)
			continue;
		of.weight = new_slabs[i].bytes;
		ksm_mark_set(new_slabs[i].begin, new_slabs[i].bytes, &of);
		atomic_store_explicit(&new_slabs[i].thread, 0, memory_order_release);
	}
}

bool ksm_heap_place_slab(unsigned int arena, unsigned int size_class, unsigned int shard, unsigned int number,
			 size_t slab_bytes, void **slab, void **record);

/* A place on a shelf for the slab of this number. jemalloc holds a lock of the arena's meanwhile. */
bool ksm_heap_place_slab(unsigned int arena, unsigned int size_class, unsigned int shard, unsigned int number,
			 size_t slab_bytes, void **slab, void **record)
{
	int saved_errno = errno;
	struct ksm_shelf_place place;
	uintptr_t base;

	/* Arena 0 has none, those that are kept out of merging have none. */
	if (arena == 0 || arena > KSM_ARENAS || size_class >= KSM_SHELF_CLASSES || shard > 0 ||
	    slab_bytes > KSM_SHELF_SLAB)
		return false;
	ksm_shelf_describe(size_class, number, slab_bytes, &place);
	base = ksm_region_map_shelf(arena - 1, &place);
	errno = saved_errno;
	if (!base)
		return false;
	count_mapped((int64_t)slab_bytes);
	note_slab(base + place.slab, slab_bytes);
	if (watcher)
		watcher();
	*slab = (void *)(base + place.slab);
	*record = (void *)(base + place.record);
	return true;
}

int ksm_heap_munmap(void *addr, size_t length)
{
	int saved_errno = errno;
	int result = ksm_shared_munmap_raw(addr, length);

	if (result == 0) {
		count_mapped(-(int64_t)length);
		ksm_mark_clear((uintptr_t)addr, length, KSMALLOC_MARK_HEAP);
	}
	errno = saved_errno;
	return result;
}

int ksm_heap_madvise(void *addr, size_t length, int advice)
{
	int error = ksm_shared_is_giving_back(advice) ? ksm_shared_give_back(addr, length, advice) :
							ksm_os_madvise(addr, length, advice);

	if (!error)
		return 0;
	errno = -error;
	return -1;
}

void ksm_heap_bad_pointer(const char *what)
{
	ksm_fatal(what);
}
