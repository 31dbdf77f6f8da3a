/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dl_iterate_phdr is asked only when an address is unknown or modules may have
 * changed, and its list is walked only if the loader's counters of loaded and
 * unloaded objects moved. The lock is taken inside the callback, once for each
 * module: a program may call malloc from a callback of its own, with the
 * loader's lock held, and must find ours free or about to be.
 */
#include "site/module.h"

#include "site/loader.h"
#include "system/meta.h"
#include "os/os.h"
#include "segment/stat.h"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <string.h>

struct range {
	uintptr_t begin;
	uintptr_t end;
	bool live;	/* still mapped when the loader was asked last */
	uint32_t seen;	/* number of the walk that saw it last */
};

static struct {
	pthread_mutex_t lock; /* Protects the other members. */
	struct range ranges[KSMALLOC_MAX_MODULES]; /* same index as the segment's table */
	uint32_t count;
	bool is_full; /* a file found no room */
	uint32_t walk;
	unsigned long long adds; /* of the loader at the last walk */
	unsigned long long subs;
	bool current;	/* nothing was loaded or unloaded since the last walk */
} modules KSM_SPARSE = { .lock = PTHREAD_MUTEX_INITIALIZER };

/*
 * Of the main program, which has no name in the loader's list. Readers know which file this is, and
 * the link costs a process more than all else that is done at load. Synchronization: written at load.
 */
static char program_path[512] = KSMALLOC_PROGRAM_PATH;

void ksm_module_name_program(void)
{
	char path[sizeof(program_path)];

	if (ksm_os_read_link(KSMALLOC_PROGRAM_PATH, path, sizeof(path)) > 0)
		memcpy(program_path, path, sizeof(path));
}

uint32_t ksm_module_generations; /* Synchronization: atomic. */

void ksm_module_invalidate(void)
{
	pthread_mutex_lock(&modules.lock);
	modules.current = false;
	pthread_mutex_unlock(&modules.lock);
	__atomic_fetch_add(&ksm_module_generations, 1, __ATOMIC_SEQ_CST);
}

static uint32_t unloads; /* threads that are at it. Synchronization: atomic. */
static uint32_t readings; /* likewise */

/* Whoever is reading may itself wait for the thread that unloads. */
#define READINGS_WAIT_MS 1000

void ksm_module_begin_unload(void)
{
	uint64_t deadline;

	__atomic_fetch_add(&unloads, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&readings, __ATOMIC_SEQ_CST))
		return;
	deadline = ksm_os_now_ms() + READINGS_WAIT_MS;
	while (__atomic_load_n(&readings, __ATOMIC_SEQ_CST) && ksm_os_now_ms() < deadline)
		ksm_os_pause();
}

void ksm_module_end_unload(void)
{
	if (__atomic_load_n(&unloads, __ATOMIC_RELAXED))
		__atomic_fetch_sub(&unloads, 1, __ATOMIC_SEQ_CST);
}

bool ksm_module_begin_reading(void)
{
	__atomic_fetch_add(&readings, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&unloads, __ATOMIC_SEQ_CST))
		return true;
	ksm_module_end_reading();
	return false;
}

void ksm_module_end_reading(void)
{
	/* None is left in a child that was forked in between. */
	if (__atomic_load_n(&readings, __ATOMIC_RELAXED))
		__atomic_fetch_sub(&readings, 1, __ATOMIC_SEQ_CST);
}

/* Copies the build-id out of a segment of notes; its length, 0 if there is none. */
static uint32_t find_build_id(const char *notes, size_t length, uint8_t *build_id)
{
	while (length >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const void *)notes;
		size_t name = ksm_align_up(note->n_namesz, 4);
		size_t whole = sizeof(*note) + name + ksm_align_up(note->n_descsz, 4);

		if (whole > length)
			return 0;
		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
		    memcmp(notes + sizeof(*note), "GNU", 4) == 0 &&
		    note->n_descsz <= KSMALLOC_BUILD_ID_BYTES) {
			memcpy(build_id, notes + sizeof(*note) + name, note->n_descsz);
			return note->n_descsz;
		}
		notes += whole;
		length -= whole;
	}
	return 0;
}

/* Reads a module's place and build-id from its program headers. */
static void describe(const struct dl_phdr_info *info, struct ksmalloc_segment_module *module)
{
	memset(module, 0, sizeof(*module));
	module->bias = info->dlpi_addr;
	module->begin = UINT64_MAX;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uint64_t begin = info->dlpi_addr + header->p_vaddr;

		if (header->p_type == PT_LOAD) {
			module->begin = ksm_min(module->begin, begin);
			module->end = ksm_max(module->end, begin + header->p_memsz);
		} else if (header->p_type == PT_NOTE && module->build_id_bytes == 0) {
			module->build_id_bytes = find_build_id((const char *)begin,
							       header->p_memsz, module->build_id);
		}
	}
}

static const char *path_of(const struct dl_phdr_info *info)
{
	return info->dlpi_name && info->dlpi_name[0] ? info->dlpi_name : program_path;
}

/*
 * A file without a build-id is told apart by its path, but for the program, and by how it begins:
 * the headers tell its size, what it needs and what it defines. They are read where they are mapped.
 */
static void substitute_identity(struct ksmalloc_segment_module *module,
				const struct dl_phdr_info *info)
{
	const char *name = info->dlpi_name ? info->dlpi_name : "";
	uint64_t parts[2] = { XXH3_64bits(name, strlen(name)), 0 };

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];

		if (header->p_type == PT_LOAD && header->p_offset == 0 &&
		    (header->p_flags & (PF_R | PF_W)) == PF_R)
			parts[1] = XXH3_64bits((const void *)(info->dlpi_addr + header->p_vaddr),
					       ksm_min(header->p_filesz, KSM_PAGE));
	}
	memcpy(module->build_id, parts, sizeof(parts));
}

static bool same_module(uint32_t index, const struct ksmalloc_segment_module *module)
{
	const struct ksmalloc_segment_module *known = &ksm_stat->modules[index];

	return known->bias == module->bias && known->begin == module->begin &&
	       known->end == module->end &&
	       memcmp(known->build_id, module->build_id, sizeof(module->build_id)) == 0;
}

static void note_module(const struct ksmalloc_segment_module *module, const char *path)
{
	uint32_t index = 0;

	while (index < modules.count && !same_module(index, module))
		index++;
	if (index == modules.count) {
		int added = ksm_stat_add_module(module, path);

		if (added < 0) {
			modules.is_full = true;
			return;
		}
		modules.count = (uint32_t)added + 1;
	}
	modules.ranges[index] = (struct range){ .begin = module->begin,
						.end = module->end,
						.live = true,
						.seen = modules.walk };
}

/* Returns 1, which ends the walk, if the loader's list is the one we know. */
static int visit(struct dl_phdr_info *info, size_t size, void *first)
{
	struct ksmalloc_segment_module module;
	const char *path;
	bool known;

	pthread_mutex_lock(&modules.lock);
	known = *(bool *)first && size >= offsetof(struct dl_phdr_info, dlpi_subs) &&
		modules.count > 0 && modules.current && modules.adds == info->dlpi_adds &&
		modules.subs == info->dlpi_subs;
	if (*(bool *)first && !known) {
		modules.walk++;
		modules.adds = info->dlpi_adds;
		modules.subs = info->dlpi_subs;
		modules.current = true;
	}
	pthread_mutex_unlock(&modules.lock);
	*(bool *)first = false;
	if (known)
		return 1;

	describe(info, &module);
	path = path_of(info);
	if (module.build_id_bytes == 0)
		substitute_identity(&module, info);
	pthread_mutex_lock(&modules.lock);
	note_module(&module, path);
	pthread_mutex_unlock(&modules.lock);
	return 0;
}

/* Reads the loader's list; modules that are no longer in it stop resolving. */
static void refresh(void)
{
	bool first = true;

	if (ksm_loader_iterate(visit, &first) != 0)
		return;
	pthread_mutex_lock(&modules.lock);
	for (uint32_t i = 0; i < modules.count; i++)
		modules.ranges[i].live = modules.ranges[i].seen == modules.walk;
	pthread_mutex_unlock(&modules.lock);
}

static int lookup(uintptr_t address, struct ksm_module_address *result)
{
	int error = -ENOENT;

	pthread_mutex_lock(&modules.lock);
	for (uint32_t i = 0; i < modules.count && modules.current; i++) {
		const struct range *range = &modules.ranges[i];

		if (range->live && address >= range->begin && address < range->end) {
			result->module = i;
			result->offset = address - ksm_stat->modules[i].bias;
			error = 0;
			break;
		}
	}
	pthread_mutex_unlock(&modules.lock);
	return error;
}

int ksm_module_resolve(uintptr_t address, struct ksm_module_address *result)
{
	if (lookup(address, result) == 0)
		return 0;
	refresh();
	return lookup(address, result);
}

size_t ksm_module_identity(uint32_t module, const uint8_t **bytes)
{
	const struct ksmalloc_segment_module *entry = &ksm_stat->modules[module];

	*bytes = entry->build_id;
	return entry->build_id_bytes ? entry->build_id_bytes : 2 * sizeof(uint64_t);
}

const char *ksm_module_path(uint32_t module)
{
	return ksm_stat->strings + ksm_stat->modules[module].path_string;
}

enum ksm_lock_holder ksm_module_lock_holder(void)
{
	return ksm_lock_holder(&modules.lock);
}

void ksm_module_prefork(void)
{
	pthread_mutex_lock(&modules.lock);
}

void ksm_module_postfork_parent(void)
{
	pthread_mutex_unlock(&modules.lock);
}

void ksm_module_postfork_child(void)
{
	pthread_mutex_init(&modules.lock, NULL);
	/* Of other threads, which are not there; its own, if it forks from within one, goes on without. */
	unloads = 0;
	readings = 0;
}

bool ksm_module_has_room(void)
{
	bool has_room;

	pthread_mutex_lock(&modules.lock);
	has_room = !modules.is_full;
	pthread_mutex_unlock(&modules.lock);
	return has_room;
}
