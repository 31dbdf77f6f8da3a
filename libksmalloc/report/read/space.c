/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smaps is read once: its heads say where and what, its counters whether a
 * mapping holds pages at all. A mapping is cut where a slot, a region of the
 * shared layout or the bss of a file begins or ends inside of it, because the
 * kernel joins neighbours that look alike.
 *
 * How far a bss reaches is not in smaps: where anonymous memory follows the
 * writable data of a file without a gap, the file's program headers tell.
 */
#define _GNU_SOURCE
#include "read/space.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "read/grow.h"
#include "read/smaps.h"
#include "read/search.h"

static const char *const kind_names[KSR_REGION_KINDS] = {
	[KSR_REGION_SITE] = "slots of sites",
	[KSR_REGION_NURSERY] = "blocks of small places",
	[KSR_REGION_HEAP] = "small blocks",
	[KSR_REGION_MAPPINGS] = "mappings of the program",
	[KSR_REGION_BRK] = "brk",
	[KSR_REGION_STACK] = "stack",
	[KSR_REGION_THREAD_STACK] = "stacks of threads",
	[KSR_REGION_FILE] = "data of files",
	[KSR_REGION_ANONYMOUS] = "other anonymous memory",
	[KSR_REGION_FOREIGN] = "memory that KSM never takes",
};

const char *ksr_region_kind_name(enum ksr_region_kind kind)
{
	return kind < KSR_REGION_KINDS ? kind_names[kind] : "?";
}

/* What the walk over smaps carries along. */
struct build {
	const struct ksr_fs *fs; /* NULL: no file is opened, and no bss known */
	struct ksr_space *space;
	struct ksmalloc_segment_slot *slots; /* by address */
	uint32_t slot_count;
	const char *program;
	const struct ksr_stacks *stacks;
	size_t range_room;
	size_t region_room;
	uint32_t file;	   /* region of the file that the memory before belongs to, or KSR_REGION_NONE */
	uint64_t file_end; /* where that memory ended */
	uint32_t image;	   /* region whose file was asked for its image last, or KSR_REGION_NONE */
	uint64_t image_bytes;
};

/* What one piece of a mapping is. */
struct piece {
	struct ksr_region region;
	uint64_t end;
};

static bool is_same(const struct ksr_region *a, const struct ksr_region *b)
{
	return a->kind == b->kind && a->id == b->id && a->ordinal == b->ordinal &&
	       a->base == b->base && strcmp(a->name, b->name) == 0;
}

static int add_region(struct build *build, const struct ksr_region *wanted, uint32_t *index)
{
	struct ksr_space *space = build->space;
	struct ksr_region *larger;

	/* Neighbours are alike most often: look from the end. */
	for (uint32_t i = space->region_count; i-- > 0;) {
		if (is_same(&space->regions[i], wanted)) {
			*index = i;
			return 0;
		}
	}
	larger = ksr_grow(space->regions, space->region_count, &build->region_room, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	space->regions = larger;
	larger = &space->regions[space->region_count];
	*larger = *wanted;
	if (wanted->kind == KSR_REGION_FILE) {
		larger->owned = strdup(wanted->name);
		larger->name = larger->owned;
		if (!larger->owned)
			return -ENOMEM;
	}
	*index = space->region_count++;
	return 0;
}

static int add_range(struct build *build, uint64_t begin, uint64_t end, uint32_t region,
		     const struct ksr_vma *vma)
{
	struct ksr_space *space = build->space;
	struct ksr_range *larger = ksr_grow(space->ranges, space->range_count, &build->range_room, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	space->ranges = larger;
	space->ranges[space->range_count++] = (struct ksr_range){
		.begin = begin,
		.end = end,
		.region = region,
		.populated = vma->anonymous || (vma->flags & KSR_VMA_STORE),
		.store = vma->flags & KSR_VMA_STORE ? vma->inode : 0,
		.store_offset = vma->flags & KSR_VMA_STORE ? vma->offset + (begin - vma->begin) : 0,
	};
	return 0;
}

/* --- what a piece is ------------------------------------------------------------- */

static bool is_within(uint64_t address, uint64_t base, uint64_t bytes)
{
	return bytes && address >= base && address - base < bytes;
}

/* Of the k slots of one site the one at address is the how-manieth by address? */
static uint32_t slot_ordinal(const struct build *build, const struct ksmalloc_segment_slot *slot)
{
	uint32_t ordinal = 0;

	for (const struct ksmalloc_segment_slot *other = build->slots; other < slot; other++)
		ordinal += other->site == slot->site &&
			   !((other->flags ^ slot->flags) & KSMALLOC_SLOT_NURSERY);
	return ordinal;
}

static uint64_t end_of_slot(const void *element)
{
	const struct ksmalloc_segment_slot *slot = element;

	return slot->base + slot->mapped_bytes;
}

/* true when the piece lies in a slot; else its end is cut at the next slot. */
static bool take_slot(const struct build *build, uint64_t begin, struct piece *piece)
{
	size_t at = ksr_search_above(build->slots, build->slot_count, sizeof(*build->slots), end_of_slot, begin);
	struct ksmalloc_segment_site site;
	const struct ksmalloc_segment_slot *slot;

	if (at == build->slot_count)
		return false;
	slot = &build->slots[at];
	if (slot->base > begin) {
		piece->end = ksm_min(piece->end, slot->base);
		return false;
	}
	piece->end = ksm_min(piece->end, slot->base + slot->mapped_bytes);
	ksr_snapshot_site(&build->space->snapshot, slot->site, &site);
	piece->region.kind =
		slot->flags & KSMALLOC_SLOT_NURSERY ? KSR_REGION_NURSERY : KSR_REGION_SITE;
	piece->region.site = slot->site;
	piece->region.id = piece->region.kind == KSR_REGION_SITE ? site.id : 0;
	piece->region.ordinal = slot_ordinal(build, slot);
	piece->region.base = slot->base;
	return true;
}

/* The same for a region of the shared layout. */
static bool take_placed(uint64_t begin, uint64_t base, uint64_t bytes, enum ksr_region_kind kind,
			struct piece *piece)
{
	if (is_within(begin, base, bytes)) {
		/* A hostile header may name a region that ends past the address space. */
		if (piece->end - base > bytes)
			piece->end = base + bytes;
		piece->region.kind = kind;
		piece->region.base = base;
		return true;
	}
	if (bytes && base > begin)
		piece->end = ksm_min(piece->end, base);
	return false;
}

uint64_t ksr_image_bytes(const void *data, size_t bytes)
{
	uint64_t low = UINT64_MAX;
	uint64_t high = 0;
	Elf64_Ehdr header;

	if (bytes < sizeof(header))
		return 0;
	memcpy(&header, data, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr))
		return 0;
	for (uint64_t i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr segment;

		if (header.e_phoff > bytes || (i + 1) * sizeof(segment) > bytes - header.e_phoff)
			break;
		memcpy(&segment, (const char *)data + header.e_phoff + i * sizeof(segment),
		       sizeof(segment));
		if (segment.p_type != PT_LOAD || segment.p_memsz > UINT64_MAX - segment.p_vaddr)
			continue;
		low = ksm_min(low, ksm_align_down(segment.p_vaddr, 4096));
		high = ksm_max(high, segment.p_vaddr + segment.p_memsz);
	}
	return high > low ? high - low : 0;
}

/* From the first mapped byte of the file to the end of its bss; 0 when it cannot be known. */
static uint64_t image_bytes(const struct build *build, const struct ksr_region *region)
{
	char head[4096];
	struct stat status;
	ssize_t got;
	int fd;

	if (!build->fs)
		return 0;
	fd = ksr_fs_open_in_process(build->fs, build->space->pid, region->name, &status);
	if (fd < 0)
		return 0;
	got = pread(fd, head, sizeof(head), 0);
	close(fd);
	return got > 0 ? ksr_image_bytes(head, (size_t)got) : 0;
}

/*
 * What follows a file's memory and lies inside of its image is the file's, too: its bss, and pages of its data segment that a
 * store has taken the place of.
 */
static bool take_bss(struct build *build, uint64_t begin, struct piece *piece)
{
	const struct ksr_region *region;
	uint64_t bytes;

	if (build->file == KSR_REGION_NONE || begin != build->file_end)
		return false;
	region = &build->space->regions[build->file];
	if (build->image != build->file)
		build->image_bytes = ksm_align_up(image_bytes(build, region), build->space->page_bytes);
	build->image = build->file;
	bytes = build->image_bytes;
	if (begin < region->base || begin - region->base >= bytes)
		return false;
	piece->region = *region;
	piece->end = ksm_min(piece->end, region->base + bytes);
	return true;
}

/*
 * A stack begins behind its guard, but what lies above it may be the same mapping: it ends where
 * the limit says.
 */
static bool take_stack(const struct build *build, uint64_t begin, struct piece *piece)
{
	const struct ksr_stacks *stacks = build->stacks;
	uint64_t end = piece->end - begin > stacks->bytes ? begin + stacks->bytes : piece->end;

	for (size_t i = 0; i < stacks->count; i++) {
		if (stacks->pointers[i] >= begin && stacks->pointers[i] < end) {
			piece->end = ksm_align_up(end, build->space->page_bytes);
			piece->region.kind = KSR_REGION_THREAD_STACK;
			return true;
		}
	}
	return false;
}

static void take_anonymous(struct build *build, uint64_t begin, struct piece *piece)
{
	const struct ksmalloc_segment_header *header = &build->space->snapshot.header;

	if (build->space->has_segment &&
	    (take_slot(build, begin, piece) ||
	     take_placed(begin, header->heap_base, header->heap_bytes, KSR_REGION_HEAP, piece) ||
	     take_placed(begin, header->mapping_base, header->mapping_bytes, KSR_REGION_MAPPINGS,
			 piece)))
		return;
	if (take_bss(build, begin, piece) || take_stack(build, begin, piece))
		return;
	piece->region.kind = KSR_REGION_ANONYMOUS;
}

/* A file is mapped anew where its beginning is mapped again: each gets a region of its own. */
static void take_file(const struct build *build, const struct ksr_map_line *map, const char *path,
		      struct piece *piece)
{
	const struct ksr_space *space = build->space;

	piece->region.kind = KSR_REGION_FILE;
	piece->region.name = path;
	piece->region.base = map->begin;
	piece->region.is_program = strcmp(path, build->program) == 0;
	for (uint32_t i = space->region_count; i-- > 0;) {
		const struct ksr_region *region = &space->regions[i];

		if (region->kind != KSR_REGION_FILE || strcmp(region->name, path) != 0)
			continue;
		piece->region.ordinal = region->ordinal + (map->offset == 0);
		if (map->offset)
			piece->region.base = region->base;
		return;
	}
}

static void name_kernels(const struct ksr_map_line *map, struct piece *piece)
{
	if (map->path_bytes == 6 && memcmp(map->path, "[heap]", 6) == 0) {
		piece->region.kind = KSR_REGION_BRK;
		piece->region.base = map->begin;
	} else if (map->path_bytes == 7 && memcmp(map->path, "[stack]", 7) == 0) {
		piece->region.kind = KSR_REGION_STACK;
		/* It grows downwards: the end is what two processes have in common. */
		piece->region.base = map->end;
	} else {
		piece->region.kind = KSR_REGION_FOREIGN;
	}
}

static int add_piece(struct build *build, const struct ksr_map_line *map, const char *path,
		     uint64_t begin, const struct ksr_vma *vma, uint64_t *end)
{
	struct piece piece = {.region.name = "", .end = map->end};
	bool named = map->path_bytes && map->path[0] == '[' &&
		     !(map->path_bytes > 6 && memcmp(map->path, "[anon:", 6) == 0);
	uint32_t index = 0;
	int error;

	if (map->perms[3] == 's')
		piece.region.kind = KSR_REGION_FOREIGN;
	else if (named)
		name_kernels(map, &piece);
	else if (map->path_bytes && map->path[0] == '/' && !ksr_is_store(map))
		take_file(build, map, path, &piece);
	else
		take_anonymous(build, begin, &piece);
	error = add_region(build, &piece.region, &index);
	if (!error)
		error = add_range(build, begin, piece.end, index, vma);
	*end = piece.end;
	build->file = KSR_REGION_NONE;
	if (piece.region.kind == KSR_REGION_FILE) {
		build->file = index;
		build->file_end = piece.end;
	}
	return error;
}

static int add_mapping(struct build *build, const struct ksr_map_line *map,
		       const struct ksr_vma *vma)
{
	uint64_t begin = map->begin;
	char path[PATH_MAX];
	int error = 0;

	snprintf(path, sizeof(path), "%.*s", (int)ksm_min(map->path_bytes, PATH_MAX - 1),
		 map->path);
	while (!error && begin < map->end)
		error = add_piece(build, map, path, begin, vma, &begin);
	return error;
}

/* --- the walk ------------------------------------------------------------------------ */

static int compare_slots(const void *left, const void *right)
{
	const struct ksmalloc_segment_slot *a = left;
	const struct ksmalloc_segment_slot *b = right;

	return a->base < b->base ? -1 : a->base > b->base;
}

static int take_slots(struct build *build)
{
	const struct ksr_space *space = build->space;
	uint32_t count = space->has_segment ? space->snapshot.header.slots.count : 0;

	if (count == 0)
		return 0;
	build->slots = calloc(count, sizeof(*build->slots));
	if (!build->slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct ksmalloc_segment_slot *slot = &build->slots[build->slot_count];

		ksr_snapshot_slot(&space->snapshot, i, slot);
		build->slot_count += slot->mapped_bytes != 0;
	}
	qsort(build->slots, build->slot_count, sizeof(*build->slots), compare_slots);
	return 0;
}

int ksr_space_parse(const struct ksr_fs *fs, struct ksr_space *space, const struct ksr_text *smaps,
		    const char *program, const struct ksr_stacks *stacks)
{
	struct build build = {.fs = fs,
			      .space = space,
			      .program = program,
			      .stacks = stacks,
			      .file = KSR_REGION_NONE,
			      .image = KSR_REGION_NONE};
	struct ksr_smaps counters;
	size_t position = 0;
	size_t next = 0;
	const char *line;
	size_t bytes;
	int error = ksr_smaps_parse(smaps, &counters);

	if (error)
		return error;
	if (fs)
		ksr_store_files_look(&space->store_files, fs, space->pid, &counters);
	error = take_slots(&build);
	while (!error && ksr_text_line(smaps, &position, &line, &bytes)) {
		struct ksr_map_line map;

		/* The heads are those that the parser of the counters took, in the same order. */
		if (bytes == 0 || isupper((unsigned char)*line) ||
		    !ksr_map_line_parse(line, bytes, &map) || next == counters.count)
			continue;
		error = add_mapping(&build, &map, &counters.vmas[next]);
		next++;
	}
	ksr_smaps_free(&counters);
	free(build.slots);
	return error;
}

static int read_ranges_once(const struct ksr_fs *fs, struct ksr_space *space, const char *program,
			    const struct ksr_stacks *stacks)
{
	struct ksr_text smaps;
	int error = ksr_fs_read(fs, &smaps, "proc/%d/smaps", (int)space->pid);

	if (error)
		return error;
	error = ksr_space_parse(fs, space, &smaps, program, stacks);
	ksr_text_free(&smaps);
	return error;
}

static int read_ranges(const struct ksr_fs *fs, struct ksr_space *space)
{
	char program[PATH_MAX] = "";
	struct ksr_stacks stacks;
	int error = -EINVAL;

	(void)ksr_fs_read_link(fs, program, sizeof(program), "proc/%d/exe", (int)space->pid);
	ksr_stacks_read(fs, space->pid, &stacks);
	for (int i = 0; i < KSR_SMAPS_TRIES && error == -EINVAL; i++)
		error = read_ranges_once(fs, space, program, &stacks);
	free(stacks.pointers);
	return error;
}

int ksr_space_create(const struct ksr_fs *fs, pid_t pid, struct ksr_space *space,
		     char why[KSR_WHY_BYTES])
{
	int error;

	memset(space, 0, sizeof(*space));
	space->pid = pid;
	space->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	space->segment_error = ksr_snapshot_create(fs, pid, &space->snapshot, why);
	/* What has no segment can be looked at all the same. */
	if (space->segment_error == -ESRCH || space->segment_error == -EACCES ||
	    space->segment_error == -ENOMEM)
		return space->segment_error;
	space->has_segment = space->segment_error == 0;
	why[0] = '\0';
	error = ksr_status_read(fs, pid, &space->status);
	if (error) {
		ksr_space_destroy(space);
		snprintf(why, KSR_WHY_BYTES, "has ended");
		return -ESRCH;
	}
	ksr_identity_read(fs, pid, &space->status, &space->identity);
	error = read_ranges(fs, space);
	if (error) {
		ksr_space_destroy(space);
		error = ksr_process_why(fs, pid, error, why);
	}
	return error;
}

void ksr_space_destroy(struct ksr_space *space)
{
	if (space->has_segment)
		ksr_snapshot_destroy(&space->snapshot);
	for (uint32_t i = 0; i < space->region_count; i++)
		free(space->regions[i].owned);
	free(space->regions);
	free(space->ranges);
	ksr_store_files_free(&space->store_files);
	ksr_identity_free(&space->identity);
	memset(space, 0, sizeof(*space));
}

static uint64_t end_of_range(const void *element)
{
	return ((const struct ksr_range *)element)->end;
}

size_t ksr_space_first_behind(const struct ksr_space *space, uint64_t address)
{
	return ksr_search_above(space->ranges, space->range_count, sizeof(*space->ranges), end_of_range, address);
}

const struct ksr_range *ksr_space_find(const struct ksr_space *space, uint64_t address)
{
	size_t found = ksr_space_first_behind(space, address);

	if (found == space->range_count || space->ranges[found].begin > address)
		return NULL;
	return &space->ranges[found];
}

bool ksr_space_same_store(const struct ksr_space *first, uint64_t at, const struct ksr_space *second, uint64_t other)
{
	const struct ksr_range *a = ksr_space_find(first, at);
	const struct ksr_range *b = ksr_space_find(second, other);

	return a && b && a->store && a->store == b->store &&
	       a->store_offset + (at - a->begin) == b->store_offset + (other - b->begin);
}

static bool is_counterpart(const struct ksr_region *a, const struct ksr_region *b)
{
	return a->kind == b->kind && a->id == b->id && strcmp(a->name, b->name) == 0;
}

/*
 * By address first: of the slots that a site has, one for each part of the
 * process, one of the processes may lack some. What is left goes by its order.
 */
uint32_t *ksr_space_match(const struct ksr_space *first, const struct ksr_space *second)
{
	uint32_t *match = malloc((first->region_count + 1) * sizeof(*match));
	bool *taken = calloc(second->region_count + 1, sizeof(*taken));

	for (uint32_t i = 0; match && i < first->region_count; i++)
		match[i] = KSR_REGION_NONE;
	for (int round = 0; match && taken && round < 2; round++) {
		for (uint32_t i = 0; i < first->region_count; i++) {
			const struct ksr_region *region = &first->regions[i];

			for (uint32_t k = 0;
			     match[i] == KSR_REGION_NONE && k < second->region_count; k++) {
				const struct ksr_region *other = &second->regions[k];

				/* Names last: thousands of mappings of one file have the same. */
				if (taken[k] ||
				    (round == 0 ? region->base != other->base
						: region->ordinal != other->ordinal) ||
				    !is_counterpart(region, other))
					continue;
				match[i] = k;
				taken[k] = true;
			}
		}
	}
	if (!taken) {
		free(match);
		match = NULL;
	}
	free(taken);
	return match;
}
