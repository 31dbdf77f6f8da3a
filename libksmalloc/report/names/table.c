/* SPDX-License-Identifier: BSD-2-Clause */
#include "names/table.h"

#include <elfutils/libdwfl.h>
#include <gelf.h>
#include <stdlib.h>

#include "read/search.h"

/* The nearest symbol before an address may be short and lie inside of a longer one. */
#define LOOK_BACK 8

/* A symbol with what chooses among several at one address. */
struct candidate {
	struct ksr_table_symbol symbol;
	uint64_t end; /* of its section */
	unsigned int rank;
};

static int compare(const void *left, const void *right)
{
	const struct candidate *a = left;
	const struct candidate *b = right;

	if (a->symbol.address != b->symbol.address)
		return a->symbol.address < b->symbol.address ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return a->symbol.bytes < b->symbol.bytes ? -1 : a->symbol.bytes > b->symbol.bytes;
}

static bool is_wanted(const GElf_Sym *symbol, unsigned int kinds)
{
	switch (GELF_ST_TYPE(symbol->st_info)) {
	case STT_FUNC:
	case STT_GNU_IFUNC:
		/* A pointer in data may point to code: who asks for data wants its name, too. */
		return true;
	case STT_OBJECT:
	case STT_COMMON:
		return kinds & KSR_TABLE_DATA;
	case STT_NOTYPE:
		/* Code in assembly language, and marks that linkers set. */
		return kinds & KSR_TABLE_CODE;
	default:
		return false;
	}
}

/* Where the symbol's section ends; 0 where that is not known. */
static uint64_t end_of_section(Elf *elf, GElf_Word section, GElf_Addr bias)
{
	GElf_Shdr header;
	Elf_Scn *scn = elf && section < SHN_LORESERVE ? elf_getscn(elf, section) : NULL;

	if (!scn || !gelf_getshdr(scn, &header) || !(header.sh_flags & SHF_ALLOC))
		return 0;
	return header.sh_addr + header.sh_size + bias;
}

static bool read_one(Dwfl_Module *module, int index, unsigned int kinds, struct candidate *candidate)
{
	GElf_Addr address;
	GElf_Addr bias = 0;
	GElf_Word section;
	GElf_Sym symbol;
	Elf *elf = NULL;
	const char *name = dwfl_module_getsym_info(module, index, &symbol, &address, &section, &elf, &bias);

	if (!name || !name[0] || section == SHN_UNDEF || !is_wanted(&symbol, kinds))
		return false;
	/* One without a size is a function's that was written in assembly language; data have one. */
	if (symbol.st_size == 0 && !(kinds & KSR_TABLE_CODE))
		return false;
	candidate->symbol = (struct ksr_table_symbol){address, symbol.st_size, name};
	candidate->end = symbol.st_size ? 0 : end_of_section(elf, section, bias);
	candidate->rank = (symbol.st_size ? 4 : 0) + (GELF_ST_TYPE(symbol.st_info) != STT_NOTYPE ? 2 : 0) +
			  (GELF_ST_BIND(symbol.st_info) != STB_LOCAL);
	return symbol.st_size || candidate->end > address;
}

/* Those without a size reach to the next address that has a symbol. */
static void take_over(const struct candidate *candidates, size_t count, struct ksr_table *table)
{
	uint64_t next = UINT64_MAX;

	table->count = count;
	for (size_t i = count; i > 0; i--) {
		struct ksr_table_symbol *symbol = &table->symbols[i - 1];

		if (i < count && candidates[i].symbol.address != candidates[i - 1].symbol.address)
			next = candidates[i].symbol.address;
		*symbol = candidates[i - 1].symbol;
		if (symbol->bytes == 0)
			symbol->bytes = ksm_min(next, candidates[i - 1].end) - symbol->address;
	}
}

void ksr_table_create(struct Dwfl_Module *module, unsigned int kinds, struct ksr_table *table)
{
	int most = dwfl_module_getsymtab(module);
	struct candidate *candidates = most > 0 ? calloc((size_t)most, sizeof(*candidates)) : NULL;
	size_t count = 0;

	*table = (struct ksr_table){0};
	for (int i = 1; candidates && i < most; i++)
		count += read_one(module, i, kinds, &candidates[count]);
	table->symbols = count ? calloc(count, sizeof(*table->symbols)) : NULL;
	if (table->symbols) {
		qsort(candidates, count, sizeof(*candidates), compare);
		take_over(candidates, count, table);
	}
	free(candidates);
}

void ksr_table_destroy(struct ksr_table *table)
{
	free(table->symbols);
	*table = (struct ksr_table){0};
}

static uint64_t address_of(const void *element)
{
	return ((const struct ksr_table_symbol *)element)->address;
}

const struct ksr_table_symbol *ksr_table_find(const struct ksr_table *table, uint64_t address)
{
	size_t behind = ksr_search_above(table->symbols, table->count, sizeof(*table->symbols), address_of, address);

	for (size_t back = 0; back < LOOK_BACK && behind > 0; back++) {
		const struct ksr_table_symbol *symbol = &table->symbols[--behind];

		if (address - symbol->address < symbol->bytes)
			return symbol;
	}
	return NULL;
}
