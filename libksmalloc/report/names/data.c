/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A type costs a walk over the file's
 * debug information, which takes long for a large program: callers ask for those
 * that they show.
 */
#define _GNU_SOURCE
#include "names/data.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "names/elf.h"
#include "names/table.h"

struct data_file {
	struct data_file *next;
	const char *path;    /* the space's */
	struct ksr_elf *elf; /* NULL: cannot be read */
	uint64_t low;	     /* link-time address of the first mapped byte */
	struct ksr_table table;
};

struct ksr_data_symbols {
	const struct ksr_fs *fs;
	const struct ksr_space *space;
	struct data_file *files;
	bool resolve;
};

struct ksr_data_symbols *ksr_data_symbols_create(const struct ksr_fs *fs,
						 const struct ksr_space *space, bool resolve)
{
	struct ksr_data_symbols *symbols = calloc(1, sizeof(*symbols));

	if (symbols)
		*symbols = (struct ksr_data_symbols){fs, space, NULL, resolve};
	return symbols;
}

void ksr_data_symbols_destroy(struct ksr_data_symbols *symbols)
{
	while (symbols && symbols->files) {
		struct data_file *file = symbols->files;

		symbols->files = file->next;
		ksr_elf_destroy(file->elf);
		ksr_table_destroy(&file->table);
		free(file);
	}
	free(symbols);
}

/* --- one file ---------------------------------------------------------------------- */

static void open_file(struct ksr_data_symbols *symbols, struct data_file *file)
{
	GElf_Addr low;
	struct stat status;
	int fd = ksr_fs_open_in_process(symbols->fs, symbols->space->pid, file->path, &status);

	if (fd < 0)
		return;
	file->elf = ksr_elf_create(fd, file->path, NULL);
	if (!file->elf)
		return;
	dwfl_module_info(ksr_elf_module(file->elf), NULL, &low, NULL, NULL, NULL, NULL, NULL);
	file->low = low;
	ksr_table_create(ksr_elf_module(file->elf), KSR_TABLE_DATA, &file->table);
}

static struct data_file *get_file(struct ksr_data_symbols *symbols, const char *path)
{
	struct data_file *file;

	for (file = symbols->files; file; file = file->next) {
		if (strcmp(file->path, path) == 0)
			return file;
	}
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	file->path = path;
	file->next = symbols->files;
	symbols->files = file;
	open_file(symbols, file);
	return file;
}

/* The section of an address, for what has no symbol. */
static bool find_section(const struct data_file *file, uint64_t address,
			 struct ksr_variable *variable)
{
	GElf_Addr bias;
	Elf *elf = dwfl_module_getelf(ksr_elf_module(file->elf), &bias);
	Elf_Scn *section = NULL;
	size_t names;

	if (!elf || elf_getshdrstrndx(elf, &names))
		return false;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *name;

		/* Thread-local sections have addresses, but no memory of their own there. */
		if (!gelf_getshdr(section, &header) || !(header.sh_flags & SHF_ALLOC) ||
		    ((header.sh_flags & SHF_TLS) && header.sh_type == SHT_NOBITS) ||
		    address - bias < header.sh_addr ||
		    address - bias - header.sh_addr >= header.sh_size)
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		snprintf(variable->name, sizeof(variable->name), "%s", name ? name : "?");
		variable->offset = address - bias - header.sh_addr;
		return true;
	}
	return false;
}

/* --- types ---------------------------------------------------------------------------- */

static bool die_type(Dwarf_Die *die, Dwarf_Die *type)
{
	Dwarf_Attribute attribute;

	return dwarf_attr_integrate(die, DW_AT_type, &attribute) &&
	       dwarf_formref_die(&attribute, type);
}

/* Types nest without end only in files that were made to break readers. */
static void put_type(FILE *stream, Dwarf_Die *die, int depth)
{
	const char *name = dwarf_diename(die);
	Dwarf_Die inner;
	bool has_inner = depth < 16 && die_type(die, &inner);

	switch (dwarf_tag(die)) {
	case DW_TAG_pointer_type:
		if (has_inner)
			put_type(stream, &inner, depth + 1);
		fputs(has_inner ? " *" : "void *", stream);
		return;
	case DW_TAG_array_type:
		if (has_inner)
			put_type(stream, &inner, depth + 1);
		fputs("[]", stream);
		return;
	case DW_TAG_const_type:
	case DW_TAG_volatile_type:
	case DW_TAG_atomic_type:
		if (has_inner)
			put_type(stream, &inner, depth + 1);
		return;
	case DW_TAG_structure_type:
		fprintf(stream, "struct %s", name ? name : "(unnamed)");
		return;
	case DW_TAG_union_type:
		fprintf(stream, "union %s", name ? name : "(unnamed)");
		return;
	case DW_TAG_subroutine_type:
		fputs("function", stream);
		return;
	default:
		fputs(name ? name : "?", stream);
	}
}

static bool is_at(Dwarf_Die *die, uint64_t address)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *expression;
	size_t count;

	return dwarf_attr(die, DW_AT_location, &attribute) &&
	       dwarf_getlocation(&attribute, &expression, &count) == 0 && count == 1 &&
	       expression[0].atom == DW_OP_addr && expression[0].number == address;
}

/* Variables of a unit, and static ones of its functions. */
static bool find_in(Dwarf_Die *parent, uint64_t address, int depth, Dwarf_Die *found)
{
	Dwarf_Die die;

	if (dwarf_child(parent, &die))
		return false;
	do {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_variable && is_at(&die, address)) {
			*found = die;
			return true;
		}
		if (depth < 4 &&
		    (tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block ||
		     tag == DW_TAG_namespace) &&
		    find_in(&die, address, depth + 1, found))
			return true;
	} while (dwarf_siblingof(&die, &die) == 0);
	return false;
}

static void find_type(const struct data_file *file, uint64_t address, char *text, size_t bytes)
{
	Dwfl_Module *module = ksr_elf_module(file->elf);
	Dwarf_Die *unit = NULL;
	Dwarf_Addr bias = 0;
	Dwarf_Die found;
	Dwarf_Die type;
	FILE *stream;

	while ((unit = dwfl_module_nextcu(module, unit, &bias))) {
		if (!find_in(unit, address - bias, 0, &found))
			continue;
		if (!die_type(&found, &type))
			return;
		stream = fmemopen(text, bytes, "w");
		if (!stream)
			return;
		put_type(stream, &type, 0);
		fclose(stream);
		/* A stream that is full drops the end, and the NUL with it. */
		text[bytes - 1] = '\0';
		return;
	}
}

/* The file that an address lies in and the address in it; NULL when there is none to be read. */
static struct data_file *locate(struct ksr_data_symbols *symbols, uint64_t *address)
{
	const struct ksr_range *range = ksr_space_find(symbols->space, *address);
	const struct ksr_region *region;
	struct data_file *file;

	region = range ? &symbols->space->regions[range->region] : NULL;
	if (!symbols->resolve || !region || region->kind != KSR_REGION_FILE)
		return NULL;
	file = get_file(symbols, region->name);
	if (!file || !file->elf)
		return NULL;
	*address = *address - region->base + file->low;
	return file;
}

bool ksr_data_symbol(struct ksr_data_symbols *symbols, uint64_t address,
		     struct ksr_variable *variable)
{
	struct data_file *file = locate(symbols, &address);
	const struct ksr_table_symbol *symbol;

	memset(variable, 0, sizeof(*variable));
	if (!file)
		return false;
	symbol = ksr_table_find(&file->table, address);
	if (!symbol)
		return find_section(file, address, variable);
	ksr_elf_demangle(symbol->name, variable->name, sizeof(variable->name));
	variable->offset = address - symbol->address;
	return true;
}

void ksr_data_type(struct ksr_data_symbols *symbols, uint64_t address,
		   char type[KSR_VARIABLE_BYTES])
{
	struct data_file *file = locate(symbols, &address);
	const struct ksr_table_symbol *symbol = file ? ksr_table_find(&file->table, address) : NULL;

	type[0] = '\0';
	if (symbol)
		find_type(file, symbol->address, type, KSR_VARIABLE_BYTES);
}
