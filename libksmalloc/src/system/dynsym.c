/* SPDX-License-Identifier: BSD-2-Clause */
#include "system/dynsym.h"

#include <string.h>

/* The loader has added the bias to addresses in most objects and on most machines. */
static const void *dynamic_address(const struct ksm_dynsym *table, uintptr_t address)
{
	return (const void *)(address < table->bias ? address + table->bias : address);
}

bool ksm_dynsym_of(const struct dl_phdr_info *info, struct ksm_dynsym *table)
{
	const ElfW(Dyn) *entry = NULL;

	*table = (struct ksm_dynsym){ .bias = info->dlpi_addr, .tls_module = info->dlpi_tls_modid };
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];

		if (header->p_type == PT_DYNAMIC)
			entry = (const ElfW(Dyn) *)(info->dlpi_addr + header->p_vaddr);
		else if (header->p_type == PT_GNU_EH_FRAME)
			table->unwind_index = (const uint8_t *)(info->dlpi_addr + header->p_vaddr);
	}
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

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

/*
 * The table: number of buckets, index of the first symbol in it, words of the filter and its shift; the
 * filter; the buckets, which have the index of a chain's first symbol or 0; and the symbols' hashes, whose
 * lowest bit marks a chain's end. All versions of a name are in one chain.
 */
ElfW(Sym) *ksm_dynsym_next(const struct ksm_dynsym *table, const char *name, ElfW(Sym) *previous)
{
	uint32_t hash = hash_of(name);
	uint32_t bucket_count = table->hash[0];
	uint32_t first = table->hash[1];
	const uint32_t *buckets = table->hash + 4 + table->hash[2] * (sizeof(ElfW(Addr)) / 4);
	const uint32_t *chains = buckets + bucket_count;
	uint32_t index = bucket_count ? buckets[hash % bucket_count] : 0;
	bool is_past = !previous;

	if (index < first || !index)
		return NULL;
	for (;; index++) {
		ElfW(Sym) *symbol = &table->symbols[index];
		uint32_t found = chains[index - first];

		if (is_past && (found | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF &&
		    strcmp(table->strings + symbol->st_name, name) == 0)
			return symbol;
		is_past |= symbol == previous;
		if (found & 1)
			return NULL;
	}
}

bool ksm_dynsym_is_libc(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	return !strncmp(name, "libc.so.", 8) || !strncmp(name, "libdl.so.", 9) ||
	       !strncmp(name, "libpthread.so.", 14);
}
