/* SPDX-License-Identifier: BSD-2-Clause */
#include "deepbind.h"

#include "aside.h"
#include "fatal.h"
#include "option.h"
#include "os.h"

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

struct name {
	const char *name;
	any_function *function;		/* what the name is to lead to */
	any_function **original;	/* where libc's own is kept, or NULL */
	bool is_family;			/* malloc's: in other libraries, too */
};

struct ksm_deepbind_libc ksm_deepbind_libc;

#define FAMILY(x)  { #x, (any_function *)(x), NULL, true }
#define OTHER(x, y) { #x, (any_function *)(y), NULL, true } /* another name of libc's for y */
#define MEMORY(x)  { #x, (any_function *)(x), NULL, false }
#define CALLING(x) { #x, (any_function *)ksm_deepbind_##x, (any_function **)&ksm_deepbind_libc.x, false }

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

/* An object's dynamic symbols, as the loader looks them up. */
struct table {
	uintptr_t bias;
	ElfW(Sym) *symbols;
	const char *strings;
	const uint32_t *hash;	/* DT_GNU_HASH */
};

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

/* The loader has added the bias to addresses in most objects and on most machines. */
static const void *dynamic_address(const struct table *table, uintptr_t address)
{
	return (const void *)(address < table->bias ? address + table->bias : address);
}

static bool find_table(const struct dl_phdr_info *info, struct table *table)
{
	const ElfW(Dyn) *entry = NULL;

	*table = (struct table){ .bias = info->dlpi_addr };
	for (size_t i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			entry = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	for (; entry && entry->d_tag != DT_NULL; entry++) {
		const void *address = dynamic_address(table, entry->d_un.d_ptr);

		if (entry->d_tag == DT_SYMTAB)
			table->symbols = (ElfW(Sym) *)(uintptr_t)address;
		else if (entry->d_tag == DT_STRTAB)
			table->strings = address;
		else if (entry->d_tag == DT_GNU_HASH)
			table->hash = address;
	}
	return table->symbols && table->strings && table->hash;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/* Every version of a name is in one chain; the lowest bit of a hash marks a chain's end. */
static int collect(const struct table *table, const struct name *name, struct changes *changes)
{
	uint32_t hash = gnu_hash(name->name);
	uint32_t bucket_count = table->hash[0];
	uint32_t first = table->hash[1];
	const uint32_t *buckets = table->hash + 4 + table->hash[2] * (sizeof(ElfW(Addr)) / 4);
	const uint32_t *chains = buckets + bucket_count;
	uint32_t index = bucket_count ? buckets[hash % bucket_count] : 0;
	ElfW(Addr) value = (uintptr_t)name->function - table->bias;

	for (; index >= first && index; index++) {
		ElfW(Sym) *symbol = &table->symbols[index];
		uint32_t found = chains[index - first];

		if ((found | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF &&
		    !strcmp(table->strings + symbol->st_name, name->name)) {
			/* An indirect function's address is called for the real one. */
			if ((symbol->st_info & 15) != STT_FUNC)
				return -ENOTSUP;
			if (changes->count == CHANGES_MOST)
				return -E2BIG;
			changes->has_malloc |= name == &names[0];
			if (symbol->st_value != value)
				changes->list[changes->count++] = (struct change){ symbol, value, name };
		}
		if (found & 1)
			break;
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

static void write_changes(const struct table *table, const struct changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct change *change = &changes->list[i];
		any_function **original = change->name->original;

		if (original && !*original)
			*original = (any_function *)(table->bias + change->symbol->st_value);
	}
	for (size_t i = 0; i < changes->count; i++)
		__atomic_store_n(&changes->list[i].symbol->st_value, changes->list[i].value, __ATOMIC_RELEASE);
}

static int apply(const struct dl_phdr_info *info, const struct table *table, const struct changes *changes)
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

/* libc, or a part of it in glibc before 2.34. */
static bool is_libc(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	return !strncmp(name, "libc.so.", 8) || !strncmp(name, "libdl.so.", 9) ||
	       !strncmp(name, "libpthread.so.", 14);
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
	struct table table;
	bool libc;

	(void)size;
	if (atomic_load(&outcome) || ++walk->objects > objects_at_start)
		return 1;
	libc = is_libc(info->dlpi_name);
	if (!find_table(info, &table))
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

	/* The blocks are the sanitizer's, which has its own word on the flag. */
	if (ksm_aside())
		return mode;
	if (!done)
		done = redirect_all();
	return done > 0 ? mode : mode & ~RTLD_DEEPBIND;
}
