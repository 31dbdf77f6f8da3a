/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages are remembered in the order of addresses, so that the second look reads them in batches, too. */
#define _GNU_SOURCE
#include "pages/change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "read/reader.h"
#include "read/smaps.h"

#define BATCH 64
/* Mappings above this are reservations of address space. */
#define RANGE_MOST (UINT64_C(1) << 40)

struct seen {
	uint64_t address;
	uint64_t hash;
	uint32_t region;
};

struct ksr_changes {
	struct ksr_reader reader;
	const struct ksr_fs *fs;
	pid_t pid;
	uint64_t every;
	struct seen *pages;
	size_t count;
	unsigned char *bytes;
	uint64_t entries[BATCH];
};

static bool is_sampled(const struct ksr_changes *changes, uint64_t address)
{
	uint64_t stretch = address / (BATCH * changes->reader.page_bytes);

	return changes->every <= 1 || (stretch * UINT64_C(0x9e3779b97f4a7c15) >> 32) % changes->every == 0;
}

static void read_batch(struct ksr_changes *changes, uint64_t address, size_t count)
{
	ksr_reader_entries(&changes->reader, address, count, changes->entries);
	for (size_t i = 0; i < count; i++) {
		/* What the store has nobody writes, and what is not there is not read. */
		if (!ksr_is_private(changes->entries[i]) || changes->entries[i] & KSR_PAGEMAP_STORE)
			changes->entries[i] = 0;
	}
	ksr_reader_pages(&changes->reader, address, count, changes->entries, changes->bytes);
}

static uint64_t hash_of(const struct ksr_changes *changes, size_t i)
{
	return XXH3_64bits(changes->bytes + i * changes->reader.page_bytes, changes->reader.page_bytes);
}

static void remember_range(struct ksr_changes *changes, const struct ksr_range *range)
{
	uint64_t page_bytes = changes->reader.page_bytes;
	uint64_t stretch = BATCH * page_bytes;

	for (uint64_t at = range->begin; at < range->end && changes->count < KSR_CHANGE_MOST;) {
		uint64_t end = ksm_min(range->end, at + stretch - at % stretch);
		size_t count = (size_t)((end - at) / page_bytes);

		if (is_sampled(changes, at))
			read_batch(changes, at, count);
		for (size_t i = 0; is_sampled(changes, at) && i < count && changes->count < KSR_CHANGE_MOST; i++) {
			if (changes->entries[i])
				changes->pages[changes->count++] =
					(struct seen){at + i * page_bytes, hash_of(changes, i), range->region};
		}
		at = end;
	}
}

int ksr_changes_begin(const struct ksr_fs *fs, const struct ksr_space *space, uint64_t every,
		      struct ksr_changes **result)
{
	struct ksr_changes *changes = calloc(1, sizeof(*changes));
	int error;

	*result = NULL;
	if (!changes)
		return -ENOMEM;
	changes->reader.mem_fd = changes->reader.map_fd = -1;
	changes->fs = fs;
	changes->pid = space->pid;
	changes->every = every;
	changes->pages = calloc(KSR_CHANGE_MOST, sizeof(*changes->pages));
	changes->bytes = malloc(BATCH * space->page_bytes);
	error = changes->pages && changes->bytes ? ksr_reader_open(fs, space, &changes->reader) : -ENOMEM;
	for (size_t i = 0; i < space->range_count && !error; i++) {
		const struct ksr_range *range = &space->ranges[i];

		if (range->populated && range->end - range->begin <= RANGE_MOST &&
		    space->regions[range->region].kind != KSR_REGION_FOREIGN)
			remember_range(changes, range);
	}
	if (error)
		ksr_changes_destroy(changes);
	else
		*result = changes;
	return error;
}

/* Is the address in a file of the store by now? The addresses asked for ascend. */
static bool is_in_store(const struct ksr_smaps *now, size_t *next, uint64_t address)
{
	while (*next < now->count && now->vmas[*next].end <= address)
		++*next;
	return *next < now->count && now->vmas[*next].begin <= address && now->vmas[*next].flags & KSR_VMA_STORE;
}

int ksr_changes_end(struct ksr_changes *changes, struct ksr_change *counts)
{
	uint64_t page_bytes = changes->reader.page_bytes;
	struct ksr_smaps now = {NULL, 0};
	size_t next = 0;

	/* Without it what was shared meanwhile counts as gone. */
	(void)ksr_smaps_read(changes->fs, changes->pid, &now);
	for (size_t i = 0, end; i < changes->count; i = end) {
		const struct seen *first = &changes->pages[i];

		for (end = i + 1; end < changes->count; end++) {
			if (changes->pages[end].address - first->address >= BATCH * page_bytes)
				break;
		}
		read_batch(changes, first->address,
			   (size_t)((changes->pages[end - 1].address - first->address) / page_bytes) + 1);
		for (size_t k = i; k < end; k++) {
			const struct seen *seen = &changes->pages[k];
			size_t at = (size_t)((seen->address - first->address) / page_bytes);
			struct ksr_change *count = &counts[seen->region];

			count->pages++;
			if (!changes->entries[at])
				count->gone += !is_in_store(&now, &next, seen->address);
			else if (hash_of(changes, at) != seen->hash)
				count->changed++;
		}
	}
	ksr_smaps_free(&now);
	return 0;
}

void ksr_changes_destroy(struct ksr_changes *changes)
{
	if (!changes)
		return;
	ksr_reader_close(&changes->reader);
	free(changes->pages);
	free(changes->bytes);
	free(changes);
}
