/* SPDX-License-Identifier: BSD-2-Clause */
#include "mapping.h"

#include "os.h"
#include "stat.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

struct range {
	uintptr_t begin;
	uintptr_t end;
	bool reserved;
};

static struct {
	atomic_flag busy;
	struct range *ranges;	/* sorted by address */
	size_t count;
	size_t capacity;
	uint64_t live_bytes;
	uint64_t reserved_bytes;
	uint64_t calls;
	atomic_uint_fast64_t untracked;
} mappings = { .busy = ATOMIC_FLAG_INIT };

void ksm_mapping_publish(void)
{
	struct ksmalloc_process_stats *stats;

	if (!ksm_stat)
		return;
	stats = &ksm_stat->header.stats;
	ksm_stat_set(&stats->mmap_live_bytes, mappings.live_bytes);
	ksm_stat_set(&stats->mmap_reserved_bytes, mappings.reserved_bytes);
	ksm_stat_set(&stats->mmap_calls_total, mappings.calls);
	ksm_stat_set(&stats->mmap_untracked_total, mappings.untracked);
}

static bool enter(void)
{
	if (!atomic_flag_test_and_set_explicit(&mappings.busy, memory_order_acquire))
		return true;
	atomic_fetch_add_explicit(&mappings.untracked, 1, memory_order_relaxed);
	return false;
}

static void leave(void)
{
	ksm_mapping_publish();
	atomic_flag_clear_explicit(&mappings.busy, memory_order_release);
}

/* The first range that ends after address. */
static size_t find(uintptr_t address)
{
	size_t low = 0;
	size_t high = mappings.count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (mappings.ranges[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool make_room(void)
{
	size_t capacity = mappings.capacity ? 2 * mappings.capacity : KSM_PAGE / sizeof(struct range);
	void *memory;

	if (mappings.count + 1 < mappings.capacity)
		return true;
	if (ksm_os_map(&memory, ksm_align_up(capacity * sizeof(struct range), KSM_PAGE), true) != 0) {
		atomic_fetch_add_explicit(&mappings.untracked, 1, memory_order_relaxed);
		return false;
	}
	if (mappings.ranges) {
		memcpy(memory, mappings.ranges, mappings.count * sizeof(struct range));
		ksm_os_unmap(mappings.ranges,
			     ksm_align_up(mappings.capacity * sizeof(struct range), KSM_PAGE));
	}
	mappings.ranges = memory;
	mappings.capacity = capacity;
	return true;
}

static void count(const struct range *range, int sign)
{
	uint64_t *total = range->reserved ? &mappings.reserved_bytes : &mappings.live_bytes;

	*total += (uint64_t)sign * (range->end - range->begin);
}

static void insert(size_t at, struct range range)
{
	memmove(&mappings.ranges[at + 1], &mappings.ranges[at],
		(mappings.count - at) * sizeof(range));
	mappings.ranges[at] = range;
	mappings.count++;
	count(&range, 1);
}

static void erase(size_t at)
{
	count(&mappings.ranges[at], -1);
	mappings.count--;
	memmove(&mappings.ranges[at], &mappings.ranges[at + 1],
		(mappings.count - at) * sizeof(mappings.ranges[0]));
}

/* Takes [begin, end) out of the set; cuts ranges that reach beyond it. */
static void remove_range(uintptr_t begin, uintptr_t end)
{
	size_t at = find(begin);

	while (at < mappings.count && mappings.ranges[at].begin < end) {
		struct range range = mappings.ranges[at];

		erase(at);
		if (range.begin < begin)
			insert(at++, (struct range){ range.begin, begin, range.reserved });
		if (range.end > end && make_room())
			insert(at, (struct range){ end, range.end, range.reserved });
	}
}

static void add_range(uintptr_t begin, uintptr_t end, bool reserved)
{
	remove_range(begin, end);
	if (make_room())
		insert(find(begin), (struct range){ begin, end, reserved });
}

static uintptr_t end_of(const void *addr, size_t length)
{
	return (uintptr_t)addr + ksm_align_up(length, KSM_PAGE);
}

void ksm_mapping_note_map(const void *addr, size_t length, int prot, int flags)
{
	bool counted = (flags & MAP_ANONYMOUS) && (flags & MAP_TYPE) == MAP_PRIVATE;

	if (!enter())
		return;
	mappings.calls++;
	if (counted)
		add_range((uintptr_t)addr, end_of(addr, length), prot == PROT_NONE);
	else if (flags & MAP_FIXED)
		remove_range((uintptr_t)addr, end_of(addr, length));
	leave();
}

void ksm_mapping_note_unmap(const void *addr, size_t length)
{
	if (!enter())
		return;
	remove_range((uintptr_t)addr, end_of(addr, length));
	leave();
}

void ksm_mapping_note_remap(const void *old, size_t old_length, const void *addr, size_t length,
			    int flags)
{
	size_t at;
	bool known;
	bool reserved;

	if (!enter())
		return;
	at = find((uintptr_t)old);
	known = at < mappings.count && mappings.ranges[at].begin <= (uintptr_t)old;
	reserved = known && mappings.ranges[at].reserved;
#ifdef MREMAP_DONTUNMAP
	if (!(flags & MREMAP_DONTUNMAP))
#endif
		remove_range((uintptr_t)old, end_of(old, old_length));
	if (known && length > 0)
		add_range((uintptr_t)addr, end_of(addr, length), reserved);
	leave();
}
