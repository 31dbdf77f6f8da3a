/* SPDX-License-Identifier: BSD-2-Clause */
#include "deepbind.h"

#include "arena/aside.h"
#include "system/dynsym.h"
#include "system/fatal.h"
#include "system/late.h"
#include "system/option.h"
#include "os/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int pkey_mprotect(void *addr, size_t length, int prot, int key);
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);

typedef void any_function(void);

/* Short, since the loader writes to each of them. */
struct name {
	const char *name;
	any_function *function;		/* what the name is to lead to */
	uint16_t original;		/* where libc's own is kept: offset in ksm_deepbind_libc, or NOWHERE */
	bool is_family;			/* malloc's: in other libraries, too */
};

#define NOWHERE UINT16_MAX

struct ksm_deepbind_libc ksm_deepbind_libc;

#define FAMILY(x)  { #x, (any_function *)(x), NOWHERE, true }
#define OTHER(x, y) { #x, (any_function *)(y), NOWHERE, true } /* another name of libc's for y */
#define MEMORY(x)  { #x, (any_function *)(x), NOWHERE, false }
#define CALLING(x) { #x, (any_function *)ksm_deepbind_##x, offsetof(struct ksm_deepbind_libc, x), false }

/*
 * All exported names but __register_atfork: its first call of the process, which alone matters, is over.
 * Those of malloc.c are the process's: a program with a malloc of its own comes before us.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* mallinfo, which programs still call */
static const struct name names[] = {
	FAMILY(malloc), FAMILY(free), FAMILY(calloc), FAMILY(realloc), FAMILY(reallocarray),
	FAMILY(free_sized), FAMILY(free_aligned_sized), FAMILY(aligned_alloc), FAMILY(memalign),
	FAMILY(posix_memalign), FAMILY(valloc), FAMILY(pvalloc), FAMILY(malloc_usable_size),
	FAMILY(malloc_trim), FAMILY(mallinfo), FAMILY(mallinfo2), FAMILY(malloc_info), FAMILY(malloc_stats),
	FAMILY(mallopt),
	OTHER(__libc_malloc, malloc), OTHER(__libc_free, free), OTHER(cfree, free), OTHER(__libc_calloc, calloc),
	OTHER(__libc_realloc, realloc), OTHER(__libc_reallocarray, reallocarray),
	OTHER(__libc_memalign, memalign), OTHER(__posix_memalign, posix_memalign),
	OTHER(__libc_valloc, valloc), OTHER(__libc_pvalloc, pvalloc), OTHER(__libc_mallinfo, mallinfo),
	OTHER(__libc_mallinfo2, mallinfo2), OTHER(__libc_mallopt, mallopt),
	MEMORY(mmap), MEMORY(mmap64), MEMORY(munmap), MEMORY(mremap), MEMORY(madvise),
	MEMORY(mprotect), MEMORY(pkey_mprotect),
	CALLING(dlopen), CALLING(dlmopen), CALLING(dlclose), CALLING(pthread_create),
};
#pragma GCC diagnostic pop

/* Entries of one object that are to change. */
struct change {
	ElfW(Sym) *symbol;
	ElfW(Addr) value;
	const struct name *name;
};

enum { CHANGES_MOST = 64 };

struct changes {
	struct change list[CHANGES_MOST];
	size_t count;
	bool has_malloc; /* the object defines it, changed or not */
};

/* Objects that the process was started with. Synchronization: written at load. */
static size_t objects_at_start;
/* 0: not tried, 1: done, negative: why it cannot be done. Synchronization: atomic. */
static atomic_int outcome;

static int count_objects(struct dl_phdr_info *info, size_t size, void *count)
{
	(void)size;
	*(size_t *)count = (size_t)(info->dlpi_adds - info->dlpi_subs);
	return 1;
}

__attribute__((constructor)) static void note_start(void)
{
	if (!objects_at_start)
		dl_iterate_phdr(count_objects, &objects_at_start);
}

static int collect(const struct ksm_dynsym *table, const struct name *name, struct changes *changes)
{
	ElfW(Addr) value = (uintptr_t)name->function - table->bias;
	ElfW(Sym) *symbol = NULL;

	/* Every version of the name. */
	while ((symbol = ksm_dynsym_next(table, name->name, symbol)) != NULL) {
		/* An indirect function's address is called for the real one. */
		if (!ksm_dynsym_is_function(symbol))
			return -ENOTSUP;
		if (changes->count == CHANGES_MOST)
			return -E2BIG;
		changes->has_malloc |= name == &names[0];
		if (symbol->st_value != value)
			changes->list[changes->count++] = (struct change){ symbol, value, name };
	}
	return 0;
}

/* The rights of the object's segment that address lies in. */
static int rights_at(const struct dl_phdr_info *info, uintptr_t address)
{
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type == PT_LOAD && address - info->dlpi_addr - segment->p_vaddr < segment->p_memsz)
			return (segment->p_flags & PF_R ? PROT_READ : 0) |
			       (segment->p_flags & PF_W ? PROT_WRITE : 0) |
			       (segment->p_flags & PF_X ? PROT_EXEC : 0);
	}
	return PROT_READ;
}

static void write_changes(const struct ksm_dynsym *table, const struct changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct change *change = &changes->list[i];
		uint16_t offset = change->name->original;
		any_function **original = (any_function **)((char *)&ksm_deepbind_libc + offset);

		if (offset != NOWHERE && !*original)
			*original = (any_function *)(table->bias + change->symbol->st_value);
	}
	for (size_t i = 0; i < changes->count; i++)
		__atomic_store_n(&changes->list[i].symbol->st_value, changes->list[i].value, __ATOMIC_RELEASE);
}

static int apply(const struct dl_phdr_info *info, const struct ksm_dynsym *table, const struct changes *changes)
{
	uintptr_t low = UINTPTR_MAX, high = 0;
	int rights, error;

	if (!changes->count)
		return 0;
	for (size_t i = 0; i < changes->count; i++) {
		low = ksm_min(low, (uintptr_t)changes->list[i].symbol);
		high = ksm_max(high, (uintptr_t)(changes->list[i].symbol + 1));
	}
	rights = rights_at(info, low);
	low = ksm_align_down(low, KSM_PAGE);
	high = ksm_align_up(high, KSM_PAGE);
	error = ksm_os_protect((void *)low, high - low, rights | PROT_WRITE);
	if (error)
		return error;
	write_changes(table, changes);
	/* The pages stay writable where this is refused; nothing else depends on it. */
	ksm_os_protect((void *)low, high - low, rights);
	return 0;
}

struct walk {
	size_t objects;
	bool has_libc;
	int error;
};

static int redirect(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct walk *walk = argument;
	struct changes changes = { 0 };
	struct ksm_dynsym table;
	bool libc;

	(void)size;
	if (atomic_load(&outcome) || ++walk->objects > objects_at_start)
		return 1;
	libc = ksm_dynsym_is_libc(info->dlpi_name);
	if (!ksm_dynsym_of(info, &table))
		return 0;
	for (size_t i = 0; i < KSM_COUNT_OF(names) && !walk->error; i++)
		if (libc || names[i].is_family)
			walk->error = collect(&table, &names[i], &changes);
	if (!walk->error)
		walk->error = apply(info, &table, &changes);
	/* A library that defines one of the names in another way is nobody's malloc. */
	if (!libc)
		walk->error = 0;
	walk->has_libc |= libc && changes.has_malloc;
	return walk->error;
}

static int redirect_all(void)
{
	struct walk walk = { 0 };
	int none = 0;

	note_start();
	dl_iterate_phdr(redirect, &walk);
	if (!walk.error && !walk.has_libc)
		walk.error = -ENOENT;
	if (atomic_compare_exchange_strong(&outcome, &none, walk.error ? walk.error : 1) && walk.error &&
	    ksm_options.verbose)
		ksm_warn("libraries are opened without RTLD_DEEPBIND: libc's symbols cannot be changed (errno %d)",
			 -walk.error);
	return atomic_load(&outcome);
}

int ksm_deepbind_mode(int mode)
{
	int done = atomic_load(&outcome);

	/* The blocks are the sanitizer's, which has its own word on the flag, or libc's as ever. */
	if (ksm_aside() || ksm_late())
		return mode;
	if (!done)
		done = redirect_all();
	return done > 0 ? mode : mode & ~RTLD_DEEPBIND;
}
