/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table is sparse: a leaf for each GiB of the span, of which those pages are touched that have shared slices. What
 * lies outside of the span, the program's mappings, may be anywhere, each 256 KiB elsewhere in V8: those slices have
 * entries one behind the other, which are found by a hash.
 */
#include "store/shared_table.h"

#include "layout/span.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define SPAN_SHIFT  44 /* of the largest span there is */
#define LEAF_SHIFT  30
#define SLICE_SHIFT 21
#define LEAF_SPAN   (UINT64_C(1) << LEAF_SHIFT)
#define LEAVES	    (1u << (SPAN_SHIFT - LEAF_SHIFT))
#define LEAF_SLICES (1u << (LEAF_SHIFT - SLICE_SHIFT))
#define LEAF_BYTES  ksm_align_up(LEAF_SLICES * sizeof(struct ksm_shared_slice), KSM_PAGE)

#define STRAYS_BYTES ksm_align_up(STRAYS * sizeof(struct stray), KSM_PAGE)

#define CHAINS	1024u
#define STRAYS	32768u /* of 2 MiB each; what the program has more of is not shared */
#define USUALLY 512u   /* as many are made before it is worth it to look for void ones */

static _Atomic(struct ksm_shared_slice *) leaves[LEAVES] KSM_SPARSE; /* Synchronization: atomic. */

/* A slice outside of the span. */
struct stray {
	struct ksm_shared_slice slice;
	uint32_t next; /* in its chain, 0: none */
	uint32_t number; /* of the slice in the address space */
};

/* Changed by passes only, while nobody else is in here. Synchronization: a chain is written after what it leads to. */
static struct {
	struct stray *entries; /* the first one is not used */
	uint32_t used;
	uint32_t limit; /* when void ones are looked for next */
	uint32_t chains[CHAINS];
} strays KSM_SPARSE;

/*
 * At the end of the span, which no region comes near: where the kernel chooses, the libraries that the program loads
 * after its first pass would lie elsewhere than those of a sibling that made its own a moment later. Not of meta, which
 * has a lock: a signal handler may have interrupted who holds it. distance: from there.
 */
static void *map_at_end(uint64_t distance, size_t bytes)
{
	size_t length;
	uintptr_t end = ksm_span_upper_half(&length) + length;
	void *memory = (void *)(end - distance - bytes);

	if (ksm_os_map_place(memory, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE) != 0 &&
	    ksm_os_map(&memory, bytes, true) != 0)
		return NULL;
	return memory;
}

/* Below the last leaf. */
uintptr_t ksm_shared_window(void)
{
	size_t length;
	uintptr_t end = ksm_span_upper_half(&length) + length;
	uintptr_t leaves_end = end - STRAYS_BYTES - ((end - ksm_span_map.base) >> LEAF_SHIFT) * LEAF_BYTES;

	return ksm_align_down(leaves_end, KSM_SHARE_SLICE) - KSM_SHARE_SLICE;
}

static struct ksm_shared_slice *map_leaf(uint64_t number)
{
	return map_at_end(STRAYS_BYTES + number * LEAF_BYTES, LEAF_BYTES);
}

/* --- slices outside of the span ------------------------------------------------------------ */

static uint32_t *chain_of(uint32_t number)
{
	return &strays.chains[(number * UINT32_C(0x9e3779b1)) >> 16 & (CHAINS - 1)];
}

static bool has_pages(const struct ksm_shared_slice *slice)
{
	uint64_t bits = 0;

	for (uint32_t i = 0; i < KSM_SHARED_LAYERS; i++) {
		for (uint32_t k = 0; k < KSM_COUNT_OF(slice->layers[i].mapped.words); k++)
			bits |= slice->layers[i].mapped.words[k];
	}
	return bits != 0;
}

static void chain(uint32_t index)
{
	uint32_t *first = chain_of(strays.entries[index].number);

	strays.entries[index].next = *first;
	__atomic_store_n(first, index, __ATOMIC_RELEASE);
}

/* Programs that take and give back mappings in ever other places leave entries that nobody needs. */
KSM_COLD static void sweep(void)
{
	uint32_t kept = 0;

	memset(strays.chains, 0, sizeof(strays.chains));
	for (uint32_t i = 1; i <= strays.used; i++) {
		if (!has_pages(&strays.entries[i].slice))
			continue;
		strays.entries[++kept] = strays.entries[i];
		chain(kept);
	}
	memset(&strays.entries[kept + 1], 0, (strays.used - kept) * sizeof(struct stray));
	strays.used = kept;
	strays.limit = ksm_min(ksm_max(2 * kept, USUALLY), STRAYS - 1);
}

static struct ksm_shared_slice *make_stray(uint32_t number)
{
	if (!strays.entries) {
		strays.entries = map_at_end(0, STRAYS_BYTES);
		strays.limit = USUALLY;
	}
	if (strays.entries && strays.used >= strays.limit)
		sweep();
	if (!strays.entries || strays.used >= STRAYS - 1)
		return NULL;
	strays.entries[++strays.used].number = number;
	chain(strays.used);
	return &strays.entries[strays.used].slice;
}

static struct ksm_shared_slice *find_stray(uintptr_t address, bool make)
{
	uint32_t number = (uint32_t)(address >> SLICE_SHIFT);
	uint32_t index;

	if (address >> KSM_ADDRESS_BITS)
		return NULL;
	index = __atomic_load_n(chain_of(number), __ATOMIC_ACQUIRE);
	while (index && strays.entries[index].number != number)
		index = strays.entries[index].next;
	if (index)
		return &strays.entries[index].slice;
	return make ? make_stray(number) : NULL;
}

struct ksm_shared_slice *ksm_shared_find(uintptr_t address, bool make)
{
	uint64_t offset = address - ksm_span_map.base;
	struct ksm_shared_slice *leaf;

	if (offset >> SPAN_SHIFT)
		return find_stray(address, make);
	leaf = atomic_load_explicit(&leaves[offset >> LEAF_SHIFT], memory_order_acquire);
	if (!leaf && make) {
		leaf = map_leaf(offset >> LEAF_SHIFT);
		atomic_store_explicit(&leaves[offset >> LEAF_SHIFT], leaf, memory_order_release);
	}
	return leaf ? &leaf[offset >> SLICE_SHIFT & (LEAF_SLICES - 1)] : NULL;
}

/* --- ranges -------------------------------------------------------------------------------- */

static uintptr_t end_of_slice(uintptr_t address)
{
	return ksm_align_down(address, KSM_SHARE_SLICE) + KSM_SHARE_SLICE;
}

/* The first slice from this number on that has pages, and lies outside of the span. */
static uint64_t next_stray(uint32_t number)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t i = 1; i <= strays.used; i++) {
		const struct stray *entry = &strays.entries[i];

		if (entry->number >= number && entry->number < next && has_pages(&entry->slice))
			next = entry->number;
	}
	return next;
}

/*
 * The same as ksm_shared_skip_to_pages(), for a range outside of the span. It looks at as many slices as there are
 * entries before it looks at all entries, so that neither large ranges nor many entries cost much.
 */
static uintptr_t skip_strays(uintptr_t at, uintptr_t end)
{
	uint64_t next;

	for (uint32_t i = 0; i <= strays.used; i++) {
		const struct ksm_shared_slice *slice = find_stray(at, false);

		if (at >= end || (slice && has_pages(slice)))
			return at;
		at = end_of_slice(at);
	}
	if (at >= end || at >> KSM_ADDRESS_BITS)
		return end;
	next = next_stray((uint32_t)(at >> SLICE_SHIFT));
	return next == UINT64_MAX ? end : ksm_min(end, (uintptr_t)(next << SLICE_SHIFT));
}

/* The same for a range of one leaf, or of a GiB that has none. */
static uintptr_t skip_in_leaf(const struct ksm_shared_slice *leaf, uintptr_t at, uintptr_t end)
{
	while (leaf && at < end && !has_pages(&leaf[(at - ksm_span_map.base) >> SLICE_SHIFT & (LEAF_SLICES - 1)]))
		at = end_of_slice(at);
	return leaf ? at : end;
}

uintptr_t ksm_shared_skip_to_pages(uintptr_t at, uintptr_t end)
{
	while (at < end) {
		uint64_t offset = at - ksm_span_map.base;
		const struct ksm_shared_slice *leaf;
		uintptr_t limit = end;

		if (offset >> SPAN_SHIFT) {
			/* The span ends what lies below it. */
			if (at < ksm_span_map.base)
				limit = ksm_min(end, ksm_span_map.base);
			at = skip_strays(at, limit);
		} else {
			limit = ksm_min(end, at + LEAF_SPAN - offset % LEAF_SPAN);
			leaf = atomic_load_explicit(&leaves[offset >> LEAF_SHIFT], memory_order_acquire);
			at = skip_in_leaf(leaf, at, limit);
		}
		if (at < limit)
			return at;
	}
	return end;
}
