/* SPDX-License-Identifier: BSD-2-Clause */
#include "join/owners.h"

#include <errno.h>
#include <stdlib.h>

#include "read/grow.h"

int ksr_owners_create(struct ksr_owners *owners, const struct ksr_fs *fs, const struct ksr_snapshot *snapshot)
{
	*owners = (struct ksr_owners){.fs = fs, .snapshot = snapshot};
	if (ksr_marks_create(&owners->marks, fs, snapshot) != 0)
		return -ENOMEM;
	owners->origin_count = owners->marks.origin_count;
	owners->origins = calloc((size_t)owners->origin_count + 1, sizeof(*owners->origins));
	owners->nursery_sites = calloc((size_t)snapshot->header.sites.count + 1, sizeof(*owners->nursery_sites));
	if (!owners->origins || !owners->nursery_sites) {
		ksr_owners_destroy(owners);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < owners->origin_count; i++)
		owners->origins[i].held = owners->marks.origins[i].sampled;
	return 0;
}

void ksr_owners_destroy(struct ksr_owners *owners)
{
	ksr_marks_destroy(&owners->marks);
	free(owners->origins);
	free(owners->nursery_sites);
	free(owners->slots);
	ksr_files_free(&owners->files);
	*owners = (struct ksr_owners){0};
}

/* --- slots -------------------------------------------------------------------------------- */

static int add_block(struct ksr_owners *owners, uint32_t site, const struct ksmalloc_segment_mark *mark,
		     const struct ksr_memory *memory)
{
	struct ksr_owned_slot *larger = ksr_grow(owners->slots, owners->slot_count, &owners->slot_room, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	owners->slots = larger;
	owners->slots[owners->slot_count++] = (struct ksr_owned_slot){
		.site = site, .origin = mark->origin, .held = mark->weight, .is_sample = mark->weight > mark->bytes,
		.memory = *memory};
	return 0;
}

int ksr_owners_add_slot(struct ksr_owners *owners, const struct ksmalloc_segment_slot *slot, uint64_t begin,
			uint64_t end, const struct ksr_memory *memory)
{
	int error = 0;

	if (slot->flags & KSMALLOC_SLOT_NURSERY) {
		ksr_memory_add(ksr_marks_is_sampled(&owners->marks, slot) ? &owners->witnesses : &owners->nursery, memory);
		return 0;
	}
	while (owners->next_block < owners->marks.block_count && owners->marks.blocks[owners->next_block].address < begin)
		owners->next_block++;
	for (; owners->next_block < owners->marks.block_count && !error; owners->next_block++) {
		const struct ksmalloc_segment_mark *mark = &owners->marks.blocks[owners->next_block];
		struct ksr_memory piece;

		if (mark->address >= end)
			break;
		piece = ksr_memory_between(memory, mark->address - begin,
					   ksm_min(mark->address + mark->bytes, end) - begin, end - begin);
		error = add_block(owners, slot->site, mark, &piece);
	}
	return error;
}

/* --- mappings ----------------------------------------------------------------------------- */

static enum ksr_part_id part_of_mark(const struct ksmalloc_segment_mark *mark, enum ksr_part_id part)
{
	switch (mark->kind) {
	case KSMALLOC_MARK_HEAP:
		return KSR_PART_HEAP;
	case KSMALLOC_MARK_STACK:
		return KSR_PART_THREADS;
	case KSMALLOC_MARK_MAPPING:
		return KSR_PART_MAPPINGS;
	default:
		return part;
	}
}

struct walk {
	struct ksr_owners *owners;
	struct ksr_own_memory *own;
	const struct ksr_vma *vma;
	const struct ksr_memory *memory;
	enum ksr_part_id part; /* of what has no mark */
	bool is_told;
	struct ksr_presence presence; /* of its pages, where that matters and can be read */
};

/* How much of the mapping lies below an address, in units that are the same for all of it. */
static uint64_t position(const struct walk *walk, uint64_t address)
{
	return walk->presence.below ? ksr_presence_below(&walk->presence, address) : address - walk->vma->begin;
}

/*
 * What of the mapping lies in a range. All that the store has of it is held, whether anybody has looked at it or not:
 * that is divided by addresses, since only pages that were looked at are there.
 */
static struct ksr_memory memory_of_piece(const struct walk *walk, uint64_t begin, uint64_t end)
{
	const struct ksr_vma *vma = walk->vma;
	struct ksr_memory piece = ksr_memory_between(walk->memory, position(walk, begin), position(walk, end),
						     position(walk, vma->end));

	if (vma->flags & KSR_VMA_STORE) {
		struct ksr_memory even = ksr_memory_between(walk->memory, begin - vma->begin, end - vma->begin,
							    vma->end - vma->begin);

		piece.held = even.held;
		piece.shared = even.shared;
		piece.stored = even.stored;
	}
	return piece;
}

/* A part of the mapping, with the mark that covers it, or none. */
static void add_piece(const struct walk *walk, uint64_t begin, uint64_t end, const struct ksmalloc_segment_mark *mark)
{
	struct ksr_owners *owners = walk->owners;
	enum ksr_part_id part = mark ? part_of_mark(mark, walk->part) : walk->part;
	bool is_heap = part == KSR_PART_HEAP && (!mark || mark->kind == KSMALLOC_MARK_HEAP);
	struct ksr_memory piece = memory_of_piece(walk, begin, end);

	if (begin == end || ksr_memory_is_empty(&piece))
		return;
	ksr_own_add_piece(part, &piece, walk->is_told, walk->own);
	ksr_memory_add(&owners->parts[part], &piece);
	if (is_heap) {
		ksr_memory_add(&owners->heap, &piece);
		if (mark && mark->origin)
			ksr_memory_add(&owners->origins[mark->origin].taken, &piece);
	} else if (part == KSR_PART_FILES && !(mark && mark->origin)) {
		if (!owners->error)
			owners->error = ksr_files_add(&owners->files, walk->vma->name, &piece);
	} else if (mark && mark->origin) {
		ksr_memory_add(&owners->origins[mark->origin].parts[part], &piece);
		owners->origins[mark->origin].held += piece.resident + piece.swapped;
	}
}

/* Of a file only written pages are the process's own; the others belong to the file. */
static void leave_out_files(const struct ksr_vma *vma, struct ksr_memory *memory)
{
	memory->resident = ksm_max(ksm_min(vma->anonymous, memory->resident), memory->merged);
	memory->held = memory->resident;
	memory->own_pss = ksr_written_pss(vma);
	memory->fork_shared = 0;
}

/* True if a mark divides the mapping, and some of its pages are not there: then it matters which. */
static bool is_uneven(const struct ksr_owners *owners, const struct ksr_vma *vma)
{
	const struct ksmalloc_segment_mark *mark = &owners->marks.owners[owners->next];

	return owners->fs && owners->fs->live && owners->next < owners->marks.owner_count && mark->address < vma->end &&
	       (mark->address > vma->begin || mark->address + mark->bytes < vma->end) &&
	       vma->rss + vma->swap + (vma->end - vma->begin) / 64 < vma->end - vma->begin;
}

void ksr_owners_add_mapping(struct ksr_owners *owners, const struct ksr_vma *vma, const struct ksr_memory *memory,
			    struct ksr_own_memory *own)
{
	struct ksr_memory counted = *memory;
	struct walk walk = {.owners = owners, .own = own, .vma = vma, .memory = &counted,
			    .part = ksr_part_of(owners->snapshot, vma)};
	uint64_t at = vma->begin;

	walk.is_told = owners->snapshot->header.layout == KSMALLOC_LAYOUT_SHARED || memory->merged ||
		       (vma->flags & KSR_VMA_MERGEABLE);
	if (walk.part == KSR_PART_COUNT && memory->merged)
		walk.part = KSR_PART_OTHERS;
	if (walk.part == KSR_PART_COUNT)
		return;
	if (walk.part == KSR_PART_FILES)
		leave_out_files(vma, &counted);
	while (owners->next < owners->marks.owner_count &&
	       owners->marks.owners[owners->next].address + owners->marks.owners[owners->next].bytes <= vma->begin)
		owners->next++;
	if (is_uneven(owners, vma))
		(void)ksr_presence_read(owners->fs, owners->snapshot->pid, vma->begin, vma->end, &walk.presence);
	for (size_t i = owners->next; i < owners->marks.owner_count; i++) {
		const struct ksmalloc_segment_mark *mark = &owners->marks.owners[i];
		uint64_t begin = ksm_max(mark->address, at);
		uint64_t end = ksm_min(mark->address + mark->bytes, vma->end);

		if (mark->address >= vma->end)
			break;
		if (begin >= end)
			continue;
		add_piece(&walk, at, begin, NULL);
		add_piece(&walk, begin, end, mark);
		at = end;
	}
	add_piece(&walk, at, vma->end, NULL);
	ksr_presence_free(&walk.presence);
}

/* --- what is found ------------------------------------------------------------------------ */

static uint64_t size_of(const struct ksr_memory *memory)
{
	return memory->held + memory->swapped;
}

/* What of jemalloc's memory is in use. */
static uint64_t used_heap(const struct ksr_owners *owners)
{
	return ksr_less(size_of(&owners->heap), owners->marks.kept);
}

/* How much of jemalloc's memory an origin has by its samples, of which all together have so much. */
static uint64_t heap_of(const struct ksr_owners *owners, uint32_t origin, uint64_t whole)
{
	return ksr_scale(used_heap(owners), owners->marks.origins[origin].sampled, whole);
}

static void give(struct ksr_owned *to, const struct ksr_memory *share, struct ksr_memory *left)
{
	ksr_memory_add(&to->parts[KSR_PART_HEAP], share);
	ksr_memory_take(left, share);
}

/* What of the pieces that were taken for an origin its own samples do not account for. */
static uint64_t unused_of(const struct ksr_owners *owners, uint32_t origin, uint64_t whole)
{
	return ksr_less(size_of(&owners->origins[origin].taken), heap_of(owners, origin, whole));
}

/* What was freed and is kept lies somewhere in what samples leave. */
static void take_kept(struct ksr_owners *owners, struct ksr_memory *left)
{
	uint64_t most = size_of(left);

	owners->kept = ksr_memory_share(left, ksm_min(owners->marks.kept, most), most);
	ksr_memory_take(left, &owners->kept);
}

/* What nothing accounts for lies free between blocks, mostly: it is there because of those for whom it was taken. */
static void divide_free(struct ksr_owners *owners, uint64_t whole, uint64_t unused, struct ksr_memory *left)
{
	const struct ksr_memory all = *left;

	for (uint32_t i = 0; i < owners->origin_count; i++) {
		struct ksr_memory share = ksr_memory_share(&all, unused_of(owners, i, whole), unused);

		give(&owners->origins[i], &share, left);
	}
}

/*
 * Divides jemalloc's memory by what each has by the samples: first of the pieces that were taken for the same origin, and
 * then of the others, of which somebody has less than was taken for him. Of what is left so much is kept as is counted.
 */
static void divide_heap(struct ksr_owners *owners, uint64_t whole)
{
	struct ksr_memory left = owners->heap;
	struct ksr_memory others;
	uint64_t unused = size_of(&owners->heap); /* but for the pieces that their own origins' samples account for */
	uint64_t missing = 0;

	for (uint32_t i = 0; i < owners->origin_count; i++) {
		uint64_t has = heap_of(owners, i, whole);
		uint64_t taken = size_of(&owners->origins[i].taken);
		uint64_t kept = ksm_min(has, taken);
		struct ksr_memory share = ksr_memory_share(&owners->origins[i].taken, kept, taken);

		give(&owners->origins[i], &share, &left);
		missing += has - kept;
		unused = ksr_less(unused, kept);
	}
	others = left;
	missing = ksm_max(missing, size_of(&others));
	for (uint32_t i = 0; i < owners->origin_count; i++) {
		uint64_t lacks = ksr_less(heap_of(owners, i, whole), size_of(&owners->origins[i].taken));
		struct ksr_memory share = ksr_memory_share(&others, lacks, missing);

		give(&owners->origins[i], &share, &left);
	}
	take_kept(owners, &left);
	divide_free(owners, whole, unused, &left);
}

/* Divides jemalloc's memory by weights, and that of the samples by their own bytes. */
static void divide_samples(struct ksr_owners *owners)
{
	const struct ksr_marked *marked = owners->marks.origins;
	uint64_t weights = 0;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < owners->origin_count; i++) {
		weights += marked[i].sampled;
		bytes += marked[i].sampled_bytes;
	}
	divide_heap(owners, ksr_marks_whole(weights, used_heap(owners)));
	bytes = ksr_marks_whole(bytes, owners->witnesses.resident);
	for (uint32_t i = 0; i < owners->origin_count; i++) {
		struct ksr_memory share = ksr_memory_share(&owners->witnesses, marked[i].sampled_bytes, bytes);

		ksr_memory_add(&owners->origins[i].nursery, &share);
	}
}

/* Sites without slots have their blocks in nurseries, and count them. */
static void divide_nursery(struct ksr_owners *owners)
{
	uint32_t count = owners->snapshot->header.sites.count;
	struct ksmalloc_segment_site site;
	uint64_t live = 0;

	for (uint32_t i = 0; i < count; i++) {
		ksr_snapshot_site(owners->snapshot, i, &site);
		live += ksr_marks_unplaced(&site);
	}
	live = ksr_marks_whole(live, owners->nursery.resident);
	for (uint32_t i = 0; i < count; i++) {
		ksr_snapshot_site(owners->snapshot, i, &site);
		owners->nursery_sites[i] = ksr_memory_share(&owners->nursery, ksr_marks_unplaced(&site), live);
	}
}

/* Makes shares of what was told of shares of what is, and takes them off what is left. */
static void rescale(struct ksr_memory *share, const struct ksr_memory *was, const struct ksr_memory *is,
		    struct ksr_memory *left)
{
	if (ksr_memory_is_empty(share))
		return;
	*share = ksr_memory_rescale(share, was, is);
	ksr_memory_take(left, share);
}

static void finish_part(struct ksr_owners *owners, const struct ksr_own_memory *own, enum ksr_part_id part,
			struct ksr_memory *unmarked)
{
	struct ksr_memory is = own->parts[part];
	struct ksr_memory left;

	ksr_memory_add(&is, &own->beyond[part]);
	left = is;
	for (uint32_t i = 0; i < owners->origin_count; i++)
		rescale(&owners->origins[i].parts[part], &owners->parts[part], &is, &left);
	if (part == KSR_PART_HEAP)
		rescale(&owners->kept, &owners->parts[part], &is, &left);
	ksr_memory_add(unmarked, &left);
}

void ksr_owners_finish(struct ksr_owners *owners, const struct ksr_own_memory *own,
		       struct ksr_memory unmarked[KSR_PART_COUNT], struct ksr_memory *nursery)
{
	struct ksr_memory was = owners->nursery;
	struct ksr_memory left = own->nursery;

	divide_samples(owners);
	divide_nursery(owners);
	for (size_t i = 0; i < KSR_PART_COUNT; i++)
		finish_part(owners, own, (enum ksr_part_id)i, &unmarked[i]);
	ksr_memory_add(&was, &owners->witnesses);
	for (uint32_t i = 0; i < owners->origin_count; i++)
		rescale(&owners->origins[i].nursery, &was, &own->nursery, &left);
	for (uint32_t i = 0; i < owners->snapshot->header.sites.count; i++)
		rescale(&owners->nursery_sites[i], &was, &own->nursery, &left);
	ksr_memory_add(nursery, &left);
}
