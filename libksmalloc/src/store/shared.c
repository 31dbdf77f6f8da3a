/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/shared.h"

#include "segment/stat.h"
#include "system/readable.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define GUARD_INSTALL 102 /* MADV_GUARD_INSTALL, Linux 6.13 */

#define LONG_RUN 16u /* a shorter one of shared pages is overwritten by zeros */
/* So often memory was put in the place of shared pages: each time may have cut a mapping into three. */
#define MOST_CUTS 8192u

bool ksm_shared_any;
uint32_t ksm_shared_held;

static void (*introduce_memory)(void *addr, size_t length);
static bool (*may_replace_memory)(void *addr, size_t length);
static atomic_uint cuts;
static atomic_bool rights_vary;

void ksm_shared_init(void (*introduce)(void *addr, size_t length), bool (*may_replace)(void *addr, size_t length))
{
	introduce_memory = introduce;
	may_replace_memory = may_replace;
}

void ksm_shared_introduce(void *addr, size_t length)
{
	introduce_memory(addr, length);
}

void ksm_shared_postfork_child(void)
{
	__atomic_store_n(&ksm_shared_held, 0, __ATOMIC_RELAXED);
}

void ksm_shared_add(struct ksm_shared_slice *slice, uint32_t layer, const struct ksm_share_set *mapped)
{
	for (uint32_t i = 0; i < KSM_COUNT_OF(mapped->words); i++)
		__atomic_fetch_or(&slice->layers[layer].mapped.words[i], mapped->words[i], __ATOMIC_RELAXED);
	__atomic_store_n(&ksm_shared_any, true, __ATOMIC_RELEASE);
}

/* Own memory, or none, has taken the place of so many bytes of the store's. */
static void count_given_back(size_t length)
{
	if (ksm_stat)
		ksm_stat_add(&ksm_stat->header.share.stats.given_back_bytes_total, length);
}

/* True if the page is mapped from the store. */
static bool is_shared(uintptr_t address)
{
	const struct ksm_shared_slice *slice = ksm_shared_find(address, false);
	uint32_t page = (uint32_t)(address >> KSM_PAGE_SHIFT) % KSM_SHARE_PAGES;
	uint64_t bits = 0;

	for (uint32_t i = 0; slice && i < KSM_SHARED_LAYERS; i++)
		bits |= __atomic_load_n(&slice->layers[i].mapped.words[page / 64], __ATOMIC_RELAXED);
	return bits >> page % 64 & 1;
}

/* The end of the run of pages that are shared, or not, as the first one is. */
static uintptr_t end_of_run(uintptr_t begin, uintptr_t end, bool *shared)
{
	uintptr_t at = begin;

	*shared = is_shared(begin);
	while (at < end) {
		/* A look at each slice, or at more at a time where no page is shared. */
		if (!*shared && (at == begin || at % KSM_SHARE_SLICE == 0))
			at = ksm_shared_skip_to_pages(at, end);
		if (at >= end || is_shared(at) != *shared)
			break;
		at += KSM_PAGE;
	}
	return ksm_min(at, end);
}

/* Those pages of the range that lie in the slice at this address. */
static void forget_in_slice(struct ksm_shared_slice *slice, uintptr_t address, uintptr_t begin, uintptr_t end)
{
	struct ksm_share_set pages = { 0 };

	ksm_share_add_range(&pages, address, begin, end);
	for (uint32_t i = 0; i < KSM_SHARED_LAYERS; i++) {
		for (uint32_t k = 0; k < KSM_COUNT_OF(pages.words); k++) {
			uint64_t *word = &slice->layers[i].mapped.words[k];

			if (__atomic_load_n(word, __ATOMIC_RELAXED) & pages.words[k])
				__atomic_fetch_and(word, ~pages.words[k], __ATOMIC_RELAXED);
		}
	}
}

void ksm_shared_forget(const void *addr, size_t length)
{
	uintptr_t begin = (uintptr_t)addr, end = begin + length;

	for (uintptr_t at = ksm_shared_skip_to_pages(begin, end); at < end; at = ksm_shared_skip_to_pages(at, end)) {
		uintptr_t address = ksm_align_down(at, KSM_SHARE_SLICE);

		forget_in_slice(ksm_shared_find(at, false), address, begin, end);
		at = address + KSM_SHARE_SLICE;
	}
}

/* Addresses of whole pages. */
struct range {
	uintptr_t begin;
	uintptr_t end;
};

static struct range pages_of(const void *addr, size_t length)
{
	uintptr_t begin = (uintptr_t)addr;

	return (struct range){ ksm_align_down(begin, KSM_PAGE), ksm_align_up(begin + length, KSM_PAGE) };
}

static bool has_shared(struct range range)
{
	bool shared;

	return range.begin < range.end && (end_of_run(range.begin, range.end, &shared) < range.end || shared);
}

void ksm_shared_is_gone(const void *addr, size_t length)
{
	if (ksm_shared_is_any())
		ksm_shared_forget(addr, ksm_align_up(length, KSM_PAGE));
	ksm_readable_forget(addr, length);
}

void *ksm_shared_mmap_raw(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	void *memory;

	ksm_shared_hold();
	memory = ksm_os_mmap_raw(addr, length, prot, flags, fd, offset);
	if (memory != MAP_FAILED && ksm_shared_is_any())
		ksm_shared_forget(memory, ksm_align_up(length, KSM_PAGE));
	ksm_shared_let_go();
	if (memory != MAP_FAILED && !(prot & PROT_READ))
		ksm_readable_forget(memory, length);
	return memory;
}

int ksm_shared_munmap_raw(void *addr, size_t length)
{
	int result;

	ksm_shared_hold();
	result = ksm_os_munmap_raw(addr, length);
	if (result == 0)
		ksm_shared_is_gone(addr, length);
	ksm_shared_let_go();
	return result;
}

void ksm_shared_note_rights(const void *addr, size_t length)
{
	ksm_shared_hold();
	if (has_shared(pages_of(addr, length)))
		atomic_store_explicit(&rights_vary, true, memory_order_relaxed);
	ksm_shared_let_go();
}

/* --- leaving ------------------------------------------------------------------------------- */

/* glibc's own word: no other thread was ever made. */
extern char __libc_single_threaded __attribute__((weak));

/* Pages of zeros stay untouched: most of them are holes of the file, and would be memory. */
static void copy_pages(unsigned char *to, const unsigned char *from, size_t length)
{
	static const unsigned char zeros[KSM_PAGE];

	for (size_t at = 0; at < length; at += KSM_PAGE) {
		if (memcmp(from + at, zeros, KSM_PAGE) != 0)
			memcpy(to + at, from + at, KSM_PAGE);
	}
}

/* Puts anonymous memory with the same content in the place of shared pages that may be read and written. */
static int copy_to_own(uintptr_t begin, size_t length)
{
	void *saved;
	int error = ksm_os_map(&saved, length, true);

	if (error)
		return error;
	copy_pages(saved, (void *)begin, length);
	error = ksm_os_map_over((void *)begin, length);
	/* Kernels before 6.12 may have unmapped what was there. */
	if (error && !ksm_os_is_mapped((void *)begin, length)) {
		error = ksm_os_map_over((void *)begin, length);
		if (error)
			__builtin_trap();
	}
	if (!error) {
		/* Before its first page, so that it can still be joined with its neighbours. */
		ksm_shared_forget((void *)begin, length);
		introduce_memory((void *)begin, length);
		copy_pages((void *)begin, saved, length);
		count_given_back(length);
	}
	ksm_os_unmap(saved, length);
	return error;
}

/* The same with these rights, which they have already. Without memory they stay as they are. */
KSM_COLD static int copy(uintptr_t begin, uintptr_t end, int rights)
{
	const int both = PROT_READ | PROT_WRITE;
	size_t length = end - begin;
	int error = (rights & both) == both ? 0 : ksm_os_protect((void *)begin, length, both);

	if (error)
		return error;
	error = copy_to_own(begin, length);
	if (rights != both)
		ksm_os_protect((void *)begin, length, rights);
	return error;
}

struct leaving {
	struct range range;
	int error; /* of what could not be left */
};

/* A part of it is copied at a time: that takes little memory besides. */
static void leave_part(struct leaving *leaving, uintptr_t begin, uintptr_t end, int rights)
{
	while (begin < end) {
		bool shared;
		uintptr_t next = end_of_run(begin, ksm_min(end, begin + KSM_SHARE_SLICE), &shared);
		int error = shared ? copy(begin, next, rights) : 0;

		leaving->error = leaving->error ? leaving->error : error;
		begin = next;
	}
}

/* What the program has mapped there by itself is left as it is. */
static bool leave_mapping(const struct ksm_os_mapping *mapping, void *argument)
{
	struct leaving *leaving = argument;

	if (mapping->inode != 0 && mapping->is_private)
		leave_part(leaving, ksm_max(mapping->begin, leaving->range.begin),
			   ksm_min(mapping->end, leaving->range.end), mapping->rights);
	return mapping->end < leaving->range.end;
}

/* Nobody else may write to these pages. 0, or -errno if some of them are shared still. */
static int leave(struct range range)
{
	struct leaving leaving = { range, 0 };
	uint64_t signals;

	if (!ksm_shared_is_any() || !has_shared(range))
		return 0;
	ksm_shared_hold();
	ksm_os_block_signals(&signals);
	/* Without the maps, for which there may be no descriptor, they have the rights that they were shared with. */
	if (ksm_os_each_mapping(leave_mapping, &leaving) != 0 && !atomic_load_explicit(&rights_vary, memory_order_relaxed))
		leave_part(&leaving, range.begin, range.end, PROT_READ | PROT_WRITE);
	ksm_os_restore_signals(signals);
	ksm_shared_let_go();
	return leaving.error;
}

void ksm_shared_leave(const void *addr, size_t length)
{
	if (&__libc_single_threaded && __libc_single_threaded)
		leave(pages_of(addr, length));
}

struct rights {
	struct range range; /* that has them */
	int rights;
};

static bool look_for_rights(const struct ksm_os_mapping *mapping, void *argument)
{
	struct rights *wanted = argument;

	if (wanted->range.begin < mapping->begin || wanted->range.begin >= mapping->end)
		return true;
	wanted->range.end = ksm_min(wanted->range.end, mapping->end);
	wanted->rights = mapping->rights;
	return false;
}

/* Those that anonymous memory is to have there, and for how many pages of the range that is so. */
static struct rights rights_at(struct range range)
{
	struct rights wanted = { range, PROT_READ | PROT_WRITE };

	if (ksm_unlikely(atomic_load_explicit(&rights_vary, memory_order_relaxed)))
		ksm_os_each_mapping(look_for_rights, &wanted);
	return wanted;
}

/* What has become longer in its place, and would be the file's there. */
static void *clear_end(void *memory, size_t before, size_t after, int rights)
{
	char *end = (char *)memory + before;

	if (ksm_os_map_instead(end, after - before, rights) == 0) {
		introduce_memory(end, after - before);
		return memory;
	}
	ksm_os_unmap(end, after - before);
	errno = ENOMEM;
	return MAP_FAILED;
}

/*
 * What may be moved no other thread can use meanwhile, in whatever program. What has to stay where it is may be written to: it
 * is not left, and has anonymous memory behind it. What becomes shorter stays, too, and has nothing behind it.
 */
static void *move(void *old, size_t before, size_t after, int flags, void *to)
{
	const struct range last = pages_of((char *)old + before - KSM_PAGE, KSM_PAGE);
	bool shrinks = before && after <= before && !(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP));
	bool stays = !(flags & MREMAP_MAYMOVE) && !(&__libc_single_threaded && __libc_single_threaded);
	bool ends_in_file = stays && before && after > before && ksm_shared_is_any() && has_shared(last);
	int rights = ends_in_file ? rights_at(last).rights : 0;
	void *memory;

	/* Elsewhere, or longer, they would be the file's, and nobody would know. */
	if (!stays && !shrinks && leave(pages_of(old, before)) != 0) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	memory = ksm_os_mremap_raw(old, before, after, flags, to);
	return memory != MAP_FAILED && ends_in_file ? clear_end(memory, before, after, rights) : memory;
}

void *ksm_shared_mremap_raw(void *old, size_t old_length, size_t new_length, int flags, void *to)
{
	size_t before = ksm_align_up(old_length, KSM_PAGE);
	size_t after = ksm_align_up(new_length, KSM_PAGE);
	void *memory;

	ksm_shared_hold();
	memory = move(old, before, after, flags, to);
	if (memory != MAP_FAILED && ksm_shared_is_any()) {
		size_t kept = memory == old ? after : flags & MREMAP_DONTUNMAP ? before : 0;

		if (kept < before)
			ksm_shared_forget((char *)old + kept, before - kept);
		if (memory != old)
			ksm_shared_forget(memory, after);
	}
	ksm_shared_let_go();
	return memory;
}

void ksm_shared_leave_layer(uintptr_t address, struct ksm_shared_slice *slice, uint32_t layer,
			    const struct ksm_share_set *read_only)
{
	struct ksm_share_set pages[2] = { slice->layers[layer].mapped, slice->layers[layer].mapped };

	ksm_share_keep(&pages[0], read_only);
	ksm_share_drop(&pages[1], read_only);
	for (uint32_t i = 0; i < 2; i++) {
		struct ksm_share_run run = { 0, 0 };

		while (ksm_share_next_run(&pages[i], &run))
			copy(address + ((uintptr_t)run.begin << KSM_PAGE_SHIFT),
			     address + ((uintptr_t)run.end << KSM_PAGE_SHIFT), i ? PROT_READ | PROT_WRITE : PROT_READ);
	}
}

/* --- giving back -------------------------------------------------------------------------- */

/* Is new memory worth it, or needed? Each time a mapping may be cut. needed: zeros cannot be written there, or do not stay. */
static bool is_replaced(uintptr_t begin, size_t length, bool needed)
{
	if (needed)
		return true;
	if (length >> KSM_PAGE_SHIFT < LONG_RUN || (may_replace_memory && !may_replace_memory((void *)begin, length)))
		return false;
	return atomic_fetch_add(&cuts, 1) < MOST_CUTS;
}

/*
 * Puts zeros in the place of shared pages, which are nobody's at the moment. Guards take away what was written: where they end
 * a mapping of the store would be the store's again.
 */
static int replace(uintptr_t begin, size_t length, int rights, int advice)
{
	bool is_writable = rights & PROT_WRITE;
	int error = -EAGAIN;

	count_given_back(length);
	if (is_replaced(begin, length, !is_writable || advice == GUARD_INSTALL))
		error = ksm_os_map_instead((void *)begin, length, rights);
	if (!error) {
		ksm_shared_forget((void *)begin, length);
		introduce_memory((void *)begin, length);
	} else if (is_writable) {
		memset((void *)begin, 0, length);
		error = 0;
	}
	return error;
}

bool ksm_shared_is_giving_back(int advice)
{
	return advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_DONTNEED_LOCKED ||
	       advice == GUARD_INSTALL;
}

/*
 * Where the kernel stops, since the program has locked what follows; else the end. The kernel is asked by giving the pages back, which
 * are to go in any case.
 */
static uintptr_t first_locked(uintptr_t begin, uintptr_t end, int advice)
{
	if ((advice != MADV_DONTNEED && advice != MADV_FREE) ||
	    ksm_os_madvise((void *)begin, end - begin, MADV_DONTNEED) != -EINVAL)
		return end;
	while (begin < end && ksm_os_madvise((void *)begin, KSM_PAGE, MADV_DONTNEED) == 0)
		begin += KSM_PAGE;
	return begin;
}

KSM_COLD static int give_back_runs(uintptr_t begin, uintptr_t end, int advice)
{
	int error = 0;

	while (begin < end) {
		bool shared;
		uintptr_t next = end_of_run(begin, end, &shared);
		int failed = 0;

		if (shared) {
			struct rights rights = rights_at((struct range){ begin, first_locked(begin, next, advice) });

			/* There madvise(2) ends, too. */
			if (rights.range.end == begin)
				return error ? error : -EINVAL;
			next = rights.range.end;
			failed = replace(begin, next - begin, rights.rights, advice);
		}
		if (!shared || (advice == GUARD_INSTALL && !failed))
			failed = ksm_os_madvise((void *)begin, next - begin, advice);
		error = error ? error : failed;
		begin = next;
	}
	return error;
}

int ksm_shared_give_back(void *addr, size_t length, int advice)
{
	int error;

	ksm_shared_hold();
	if (ksm_shared_is_any())
		error = give_back_runs((uintptr_t)addr, (uintptr_t)addr + length, advice);
	else
		error = ksm_os_madvise(addr, length, advice);
	ksm_shared_let_go();
	return error;
}
