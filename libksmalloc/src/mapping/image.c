/* SPDX-License-Identifier: BSD-2-Clause */
#include "mapping/image.h"

#include "segment/hint.h"
#include "site/loader.h"
#include "mapping/mapping.h"
#include "system/option.h"
#include "os/os.h"
#include "site/policy.h"
#include "store/shared.h"

#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define MOST_SEGMENTS 1024u /* what a program is linked to and has loaded beyond that is not shared */

uint32_t ksm_image_generation = UINT32_MAX;
bool ksm_image_matters;

static struct ksm_policy policy; /* Synchronization: written at load. */

/*
 * Those that may be shared. Synchronization: atomic; who has taken a free entry writes all of it, its end last. An entry without an
 * end is free, or nobody's yet.
 */
static struct {
	bool is_on;	   /* written at load */
	atomic_uint count; /* of entries that were ever taken, also of those that found no room */
	struct segment {
		atomic_bool is_taken;
		bool is_loaded; /* dlopen(3) has loaded it, which may be unloaded again */
		uintptr_t begin;
		uintptr_t file_end; /* what follows up to the end reads as zeros at first */
		uintptr_t protected_end; /* the loader makes what begins there read-only when it has relocated it; 0: nothing */
		atomic_uintptr_t end;
		atomic_bool is_kept_out;
		atomic_bool is_replaced; /* some of it is the file's no more */
	} all[MOST_SEGMENTS];
} segments KSM_SPARSE;

static void introduce(void *begin, size_t length, uint64_t word)
{
	if (!policy.advise)
		ksm_hint_exempt(begin, length);
	else if (ksm_hint_advise(begin, length))
		ksm_hint_set(begin, length, word);
}

/* The pages of one of a file's segments; false if they are not written to. */
static bool find_written(const struct dl_phdr_info *info, size_t number, uintptr_t *begin, uintptr_t *end)
{
	const ElfW(Phdr) *segment = &info->dlpi_phdr[number];

	*begin = ksm_align_down(info->dlpi_addr + segment->p_vaddr, KSM_PAGE);
	*end = ksm_align_up(info->dlpi_addr + segment->p_vaddr + segment->p_memsz, KSM_PAGE);
	return segment->p_type == PT_LOAD && (segment->p_flags & PF_W) && *begin < *end;
}

static int introduce_file(struct dl_phdr_info *info, size_t size, void *argument)
{
	const uint64_t *word = argument;
	uintptr_t begin, end;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		if (find_written(info, i, &begin, &end))
			introduce((void *)begin, end - begin, *word);
	}
	return 0;
}

static uint64_t hint_word(void)
{
	return ksm_hint_word(KSMALLOC_HINT_DATA, policy.priority, KSMALLOC_STABILITY_UNKNOWN, true);
}

/* --- what may be shared ---------------------------------------------------------------------- */

/* True of files whose code a pass runs in. */
static bool is_of_passes(const struct dl_phdr_info *info)
{
	const char *slash = strrchr(info->dlpi_name, '/');
	const char *name = slash ? slash + 1 : info->dlpi_name;

	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

		if (info->dlpi_phdr[i].p_type == PT_LOAD && (uintptr_t)ksm_image_init - begin < info->dlpi_phdr[i].p_memsz)
			return true;
	}
	return strncmp(name, "libc.", 5) == 0 || strncmp(name, "ld", 2) == 0 || strncmp(name, "libksmalloc", 11) == 0;
}

/* An entry that nobody has; NULL if there is none. */
static struct segment *take_entry(void)
{
	uint32_t count = ksm_min(atomic_load(&segments.count), MOST_SEGMENTS);
	uint32_t number;

	for (uint32_t i = 0; i < count; i++) {
		if (!atomic_exchange(&segments.all[i].is_taken, true))
			return &segments.all[i];
	}
	number = atomic_fetch_add(&segments.count, 1);
	if (number >= MOST_SEGMENTS || atomic_exchange(&segments.all[number].is_taken, true))
		return NULL;
	return &segments.all[number];
}

static void note(const struct segment *found, uintptr_t end)
{
	struct segment *entry = take_entry();

	if (!entry)
		return;
	entry->is_loaded = found->is_loaded;
	entry->begin = found->begin;
	entry->file_end = found->file_end;
	entry->protected_end = found->protected_end;
	atomic_store_explicit(&entry->is_kept_out, false, memory_order_relaxed);
	atomic_store_explicit(&entry->is_replaced, false, memory_order_relaxed);
	atomic_store_explicit(&entry->end, end, memory_order_release);
}

/* The entry of the segment at these addresses, from the one on that was found last: the loader's list keeps its order. */
static struct segment *find_entry(uintptr_t begin, uintptr_t end, uint32_t *last)
{
	uint32_t count = ksm_min(atomic_load_explicit(&segments.count, memory_order_relaxed), MOST_SEGMENTS);

	for (uint32_t i = 0; i < count; i++) {
		struct segment *entry = &segments.all[(*last + i) % count];

		if (atomic_load_explicit(&entry->end, memory_order_acquire) == end && entry->begin == begin) {
			*last = (uint32_t)(entry - segments.all) + 1;
			return entry;
		}
	}
	return NULL;
}

/* Where what the loader protects in a segment ends, 0 if it does not. */
static uintptr_t find_protected_end(const struct dl_phdr_info *info, uintptr_t begin, uintptr_t end)
{
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t first = ksm_align_down(info->dlpi_addr + part->p_vaddr, KSM_PAGE);
		uintptr_t last = ksm_align_down(info->dlpi_addr + part->p_vaddr + part->p_memsz, KSM_PAGE);

		if (part->p_type == PT_GNU_RELRO && first >= begin && last <= end && first < last)
			return last;
	}
	return 0;
}

/*
 * libc opens and closes its converters of character sets by itself, so that nobody learns of it. What else it opens by itself
 * it never closes.
 */
static bool is_closed_by_libc(const struct dl_phdr_info *info)
{
	return strstr(info->dlpi_name, "/gconv/") != NULL;
}

struct noting {
	bool is_loaded;
	uint32_t last;
};

static int note_file(struct dl_phdr_info *info, size_t size, void *context)
{
	struct noting *noting = context;
	struct segment found;
	uintptr_t begin, end;

	(void)size;
	if (is_of_passes(info) || is_closed_by_libc(info))
		return 0;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (!find_written(info, i, &begin, &end) || find_entry(begin, end, &noting->last))
			continue;
		found = (struct segment){ .is_loaded = noting->is_loaded,
					  .begin = begin,
					  .file_end = ksm_align_up(info->dlpi_addr + part->p_vaddr + part->p_filesz, KSM_PAGE),
					  .protected_end = find_protected_end(info, begin, end) };
		/* Where nothing is protected nobody can tell when it was relocated. */
		if (found.protected_end || !found.is_loaded)
			note(&found, end);
	}
	return 0;
}

static bool is_archive(int fd)
{
	static const char ending[] = ".jsa";
	char path[64], name[512];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = ksm_os_read_link(path, name, sizeof(name));
	return length > (ssize_t)strlen(ending) && strcmp(name + length - strlen(ending), ending) == 0;
}

void ksm_image_note_map(const void *addr, size_t length, int prot, int flags, int fd)
{
	const int both = PROT_READ | PROT_WRITE;

	if (segments.is_on && ksm_mapping_are_shared() && fd >= 0 && (prot & both) == both && !(prot & PROT_EXEC) &&
	    (flags & MAP_PRIVATE) && !(flags & MAP_ANONYMOUS) && is_archive(fd)) {
		uintptr_t end = ksm_align_up((uintptr_t)addr + length, KSM_PAGE);

		note(&(struct segment){ .begin = (uintptr_t)addr, .file_end = end }, end);
	}
}

/* The next segment from this one on that lies between these addresses, or NULL. */
static struct segment *next_between(struct segment *at, uintptr_t begin, uintptr_t end)
{
	uint32_t count = ksm_min(atomic_load_explicit(&segments.count, memory_order_relaxed), MOST_SEGMENTS);

	for (; at < segments.all + count; at++) {
		if (begin < atomic_load_explicit(&at->end, memory_order_acquire) && end > at->begin &&
		    !atomic_load_explicit(&at->is_kept_out, memory_order_relaxed))
			return at;
	}
	return NULL;
}

bool ksm_image_may_share(uintptr_t begin, uintptr_t end)
{
	return next_between(segments.all, begin, end) != NULL;
}

bool ksm_image_is_relocated(uintptr_t begin, uintptr_t end, bool is_writable)
{
	struct segment *found = next_between(segments.all, begin, end);

	for (; found && is_writable; found = next_between(found + 1, begin, end)) {
		if (found->is_loaded && begin < found->protected_end)
			return false;
	}
	return true;
}

void ksm_image_allow(uintptr_t slice, struct ksm_share_set *allowed)
{
	struct segment *found = next_between(segments.all, slice, slice + KSM_SHARE_SLICE);

	for (; found; found = next_between(found + 1, slice, slice + KSM_SHARE_SLICE))
		ksm_share_add_range(allowed, slice, found->begin, found->end);
}

bool ksm_image_advise(void *addr, size_t length)
{
	uintptr_t begin = (uintptr_t)addr, end = begin + length;
	struct segment *found = next_between(segments.all, begin, end);

	if (!found)
		return false;
	for (; found; found = next_between(found + 1, begin, end))
		atomic_store_explicit(&found->is_replaced, true, memory_order_relaxed);
	introduce(addr, length, hint_word());
	return true;
}

bool ksm_image_has_lost_file(const void *addr, size_t length)
{
	uintptr_t begin = (uintptr_t)addr;
	uint32_t count = ksm_min(atomic_load_explicit(&segments.count, memory_order_relaxed), MOST_SEGMENTS);

	for (uint32_t i = 0; i < count; i++) {
		const struct segment *segment = &segments.all[i];

		if (atomic_load_explicit(&segment->end, memory_order_acquire) && begin < segment->file_end &&
		    begin + length > segment->begin &&
		    atomic_load_explicit(&segment->is_replaced, memory_order_relaxed))
			return true;
	}
	return false;
}

void ksm_image_keep_out(const void *addr, size_t length)
{
	struct segment *found = next_between(segments.all, (uintptr_t)addr, (uintptr_t)addr + length);

	for (; found; found = next_between(found + 1, (uintptr_t)addr, (uintptr_t)addr + length))
		atomic_store_explicit(&found->is_kept_out, true, memory_order_relaxed);
}

/* --- what is unloaded ------------------------------------------------------------------------ */

struct there {
	uint32_t count;
	bool is_there[MOST_SEGMENTS];
};

/* All entries of the segment: a signal handler may have noted one that its thread was about to note. */
static int find_there(struct dl_phdr_info *info, size_t size, void *context)
{
	struct there *there = context;
	uintptr_t begin, end;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		for (uint32_t k = 0; find_written(info, i, &begin, &end) && k < there->count; k++) {
			const struct segment *entry = &segments.all[k];

			there->is_there[k] |= atomic_load_explicit(&entry->end, memory_order_acquire) == end &&
					      entry->begin == begin;
		}
	}
	return 0;
}

/* Of several that unload at a moment one forgets what is gone, and frees the entry. */
static void withdraw(struct segment *entry, uintptr_t end)
{
	uintptr_t begin = entry->begin;

	if (!atomic_compare_exchange_strong(&entry->end, &end, 0))
		return;
	ksm_shared_forget((void *)begin, end - begin);
	atomic_store(&entry->is_taken, false);
}

void ksm_image_begin_unload(void)
{
	ksm_shared_hold();
}

void ksm_image_end_unload(void)
{
	struct there there = { .count = ksm_min(atomic_load(&segments.count), MOST_SEGMENTS) };
	bool is_known = there.count == 0 || ksm_loader_iterate(find_there, &there) >= 0;

	for (uint32_t i = 0; i < there.count; i++) {
		struct segment *entry = &segments.all[i];
		uintptr_t end = atomic_load(&entry->end);

		if (!end || !entry->is_loaded || there.is_there[i])
			continue;
		if (is_known)
			withdraw(entry, end);
		else /* Whether it is there cannot be told, and a pass might take it for what it was. */
			atomic_store(&entry->is_kept_out, true);
	}
	ksm_shared_let_go();
}

/* --- at load --------------------------------------------------------------------------------- */

void ksm_image_init(void)
{
	policy = ksm_policy_of_region("data");
	ksm_image_matters = policy.advise ? ksm_layout_is_shared() : ksm_hint_covers_process();
	if (ksm_image_matters && !policy.advise)
		ksm_image_introduce();
	/* Nothing is written where nothing is shared: the page that it lies on is nobody else's. */
	if (!ksm_options.share || !policy.advise || !ksm_layout_is_shared())
		return;
	segments.is_on = true;
	ksm_loader_iterate(note_file, &(struct noting){ .is_loaded = false });
}

void ksm_image_introduce(void)
{
	uint32_t generation = ksm_module_generation();
	uint64_t word = hint_word();

	/* Who may not ask the loader now does so with a later block. */
	if (ksm_loader_iterate(introduce_file, &word) >= 0 &&
	    (!segments.is_on || ksm_loader_iterate(note_file, &(struct noting){ .is_loaded = true }) >= 0))
		__atomic_store_n(&ksm_image_generation, generation, __ATOMIC_RELAXED);
}
