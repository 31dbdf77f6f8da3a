/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each offset of the file is checked before use: the file may have been
 * replaced since the program mapped it.
 */
#include "site/symtab.h"

#include "os/os.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>

struct image {
	const char *bytes;
	size_t length;
	const ElfW(Shdr) *sections;
	uint32_t section_count;
};

static bool inside(const struct image *image, uint64_t offset, uint64_t length)
{
	return offset <= image->length && length <= image->length - offset;
}

static int open_image(struct image *image)
{
	const ElfW(Ehdr) *header = (const void *)image->bytes;

	if (!inside(image, 0, sizeof(*header)) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
	    header->e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
	    header->e_shentsize != sizeof(ElfW(Shdr)) ||
	    header->e_shoff % _Alignof(ElfW(Shdr)) != 0 ||
	    !inside(image, header->e_shoff, (uint64_t)header->e_shnum * sizeof(ElfW(Shdr))))
		return -ENOEXEC;
	image->sections = (const void *)(image->bytes + header->e_shoff);
	image->section_count = header->e_shnum;
	return 0;
}

static const ElfW(Shdr) *find_section(const struct image *image, uint32_t type)
{
	for (uint32_t i = 0; i < image->section_count; i++) {
		const ElfW(Shdr) *section = &image->sections[i];

		if (section->sh_type == type && section->sh_link < image->section_count &&
		    section->sh_entsize == sizeof(ElfW(Sym)) &&
		    section->sh_offset % _Alignof(ElfW(Sym)) == 0 &&
		    inside(image, section->sh_offset, section->sh_size))
			return section;
	}
	return NULL;
}

static void walk(const struct image *image, const ElfW(Shdr) *section, ksm_symtab_visitor *visit,
		 void *argument)
{
	const ElfW(Shdr) *names = &image->sections[section->sh_link];
	const ElfW(Sym) *symbol = (const void *)(image->bytes + section->sh_offset);
	const char *strings = image->bytes + names->sh_offset;

	if (!inside(image, names->sh_offset, names->sh_size) || names->sh_size == 0 ||
	    strings[names->sh_size - 1] != '\0')
		return;
	for (size_t left = section->sh_size / sizeof(*symbol); left > 0; left--, symbol++) {
		if ((symbol->st_info & 0xf) != STT_FUNC || symbol->st_shndx == SHN_UNDEF ||
		    symbol->st_name >= names->sh_size)
			continue;
		visit(strings + symbol->st_name, symbol->st_value,
		      symbol->st_value + ksm_max(symbol->st_size, 1), argument);
	}
}

int ksm_symtab_each_function(const char *path, ksm_symtab_visitor *visit, void *argument)
{
	struct image image = { 0 };
	const ElfW(Shdr) *section;
	const void *bytes;
	int error = ksm_os_map_file(path, &bytes, &image.length);

	if (error)
		return error;
	image.bytes = bytes;
	error = open_image(&image);
	if (!error) {
		section = find_section(&image, SHT_SYMTAB);
		if (!section)
			section = find_section(&image, SHT_DYNSYM);
		if (section)
			walk(&image, section, visit, argument);
		else
			error = -ENOENT;
	}
	ksm_os_unmap((void *)(uintptr_t)bytes, ksm_align_up(image.length, KSM_PAGE));
	return error;
}
