/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file is reported to libdwfl at address 0, so that its addresses are those
 * of the file itself. libdwfl finds separate debug files by build-id and
 * .gnu_debuglink; .symtab, .dynsym and minidebuginfo are its fall-backs.
 */
#define _GNU_SOURCE
#include "names/elf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "names/functions.h"
#include "names/rust.h"
#include "names/table.h"
#include "read/clock.h"

/* From the C++ runtime, which is linked for this one function. */
char *__cxa_demangle(const char *mangled, char *output, size_t *length, int *status);

/*
 * What libdw has read of a unit, its lines above all, it keeps until the file is closed: a gigabyte where a program has
 * hundreds. After so many the file is opened anew.
 */
#define MOST_UNITS 64

struct ksr_elf {
	Dwfl *dwfl;
	Dwfl_Module *module;
	char *name;
	int fd; /* to open it anew; libdwfl has a copy */
	struct ksr_table table; /* read when debug information does not answer */
	bool has_table;
	struct ksr_functions *functions;
};

/* Colon-separated folders, as libdwfl wants them; NULL are those of this machine. */
static char *debuginfo_path;

/*
 * Servers of debug information are asked by libdwfl where DEBUGINFOD_URLS has some. A report is not to wait for one
 * that is dead: unless whoever runs it has said otherwise, a server has so many seconds to begin an answer and to end
 * it, and after a question that took as long as the first in vain none of them is asked again.
 */
#define SERVER_SECONDS "3"
#define DOWNLOAD_SECONDS "8"
#define IN_VAIN_MS 2500
#define ALL_MS	   10000 /* all questions together: then no server is asked any more */

static bool asks_servers(void)
{
	const char *servers = getenv("DEBUGINFOD_URLS");

	if (!servers || !servers[0])
		return false;
	return setenv("DEBUGINFOD_TIMEOUT", SERVER_SECONDS, 0) == 0 &&
	       setenv("DEBUGINFOD_MAXTIME", DOWNLOAD_SECONDS, 0) == 0 &&
	       setenv("DEBUGINFOD_RETRY_LIMIT", "0", 0) == 0;
}

static int find_debuginfo(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base, const char *file,
			  const char *link, GElf_Word link_crc, char **found)
{
	static uint64_t asked_ms; /* by one thread: libdw is no more than that */
	static bool is_limited;
	bool asks;
	uint64_t begin = ksr_clock_ms();
	int fd;

	/* Who gives one download more time gives it to all. */
	is_limited |= !getenv("DEBUGINFOD_MAXTIME");
	asks = asks_servers();
	fd = dwfl_standard_find_debuginfo(module, user, name, base, file, link, link_crc, found);

	asked_ms += asks ? ksr_clock_ms() - begin : 0;
	if (asks && ((is_limited && asked_ms >= ALL_MS) || (fd < 0 && ksr_clock_ms() - begin >= IN_VAIN_MS)))
		unsetenv("DEBUGINFOD_URLS");
	return fd;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = find_debuginfo,
	.debuginfo_path = &debuginfo_path,
};

/* libdwfl looks at this only when it needs debug information, so it holds for all files from then on. */
static bool set_sysroot(const char *sysroot)
{
	static char path[2 * PATH_MAX];

	if (!sysroot)
		return true;
	debuginfo_path = path;
	return snprintf(path, sizeof(path), ":.debug:%s/usr/lib/debug", sysroot) < (int)sizeof(path);
}

static void close_module(struct ksr_elf *elf)
{
	ksr_functions_destroy(elf->functions);
	ksr_table_destroy(&elf->table);
	if (elf->dwfl)
		dwfl_end(elf->dwfl);
	elf->functions = NULL;
	elf->has_table = false;
	elf->module = NULL;
	elf->dwfl = NULL;
}

static bool open_module(struct ksr_elf *elf)
{
	int fd = fcntl(elf->fd, F_DUPFD_CLOEXEC, 0);

	elf->dwfl = fd < 0 ? NULL : dwfl_begin(&callbacks);
	elf->module = elf->dwfl ? dwfl_report_elf(elf->dwfl, elf->name, elf->name, fd, 0, true) : NULL;
	/* libdwfl takes the descriptor over when, and only when, it succeeds. */
	if (!elf->module) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	dwfl_report_end(elf->dwfl, NULL, NULL);
	elf->functions = ksr_functions_create(elf->module);
	return elf->functions != NULL;
}

struct ksr_elf *ksr_elf_create(int fd, const char *name, const char *sysroot)
{
	struct ksr_elf *elf = set_sysroot(sysroot) ? calloc(1, sizeof(*elf)) : NULL;

	if (!elf) {
		close(fd);
		return NULL;
	}
	elf->fd = fd;
	elf->name = strdup(name);
	if (!elf->name || !open_module(elf)) {
		ksr_elf_destroy(elf);
		return NULL;
	}
	return elf;
}

void ksr_elf_destroy(struct ksr_elf *elf)
{
	if (!elf)
		return;
	close_module(elf);
	close(elf->fd);
	free(elf->name);
	free(elf);
}

struct Dwfl_Module *ksr_elf_module(struct ksr_elf *elf)
{
	return elf->module;
}

size_t ksr_elf_build_id(struct ksr_elf *elf, const unsigned char **id)
{
	GElf_Addr address;
	GElf_Addr bias;
	int bytes;

	/* The id is read only after the file was opened by libdwfl. */
	(void)dwfl_module_getelf(elf->module, &bias);
	bytes = dwfl_module_build_id(elf->module, id, &address);
	return bytes > 0 ? (size_t)bytes : 0;
}

/* A name as people write it; NULL where it is no other one. */
static char *clear_name(const char *name)
{
	/* LLVM tells functions apart by that where it has put files together; names of C++ have no such end. */
	const char *end = strstr(name, ".llvm.");
	char *shorter = NULL;
	char *clear;
	int status = -1;

	if (strncmp(name, "_R", 2) == 0)
		return ksr_rust_name(name);
	if (strncmp(name, "_Z", 2) != 0)
		return NULL;
	if (end)
		shorter = strndup(name, (size_t)(end - name));
	clear = __cxa_demangle(shorter ? shorter : name, NULL, NULL, &status);
	free(shorter);
	return clear;
}

static void put_name(FILE *stream, const char *name)
{
	char *clear = name ? clear_name(name) : NULL;

	fputs(clear ? clear : name ? name : "", stream);
	free(clear);
}

void ksr_elf_demangle(const char *name, char *text, size_t bytes)
{
	char *clear = clear_name(name);

	snprintf(text, bytes, "%s", clear ? clear : name);
	free(clear);
}

static const char *die_name(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	const char *name = NULL;

	/* The linkage name has the class and namespace that DW_AT_name lacks. */
	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
		name = dwarf_formstring(&attribute);
	return name ? name : dwarf_diename(die);
}

/* Where the inlined function was called from: the place of the next, outer function. */
static void call_place(Dwarf_Die *die, Dwarf_Die *unit, const char **file, int *line)
{
	Dwarf_Attribute attribute;
	Dwarf_Word number;
	Dwarf_Files *files;
	size_t count;

	*file = NULL;
	*line = 0;
	if (dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attribute), &number) == 0 &&
	    dwarf_getsrcfiles(unit, &files, &count) == 0 && number < count)
		*file = dwarf_filesrc(files, number, NULL, NULL);
	if (dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attribute), &number) == 0)
		*line = (int)number;
}

static void put_pair(FILE *stream, bool first, const char *name, const char *file, int line)
{
	if (!first)
		fputc('\t', stream);
	put_name(stream, name);
	fputc('\t', stream);
	if (file && line > 0)
		fprintf(stream, "%s:%d", file, line);
}

/* The chain of functions from the innermost inlined one outwards; false without DWARF. */
static bool put_dwarf(struct ksr_elf *elf, uint64_t address, FILE *stream)
{
	struct ksr_functions_found found;
	const char *file = NULL;
	Dwarf_Line *source;
	int line = 0;

	if (!ksr_functions_find(elf->functions, address, &found))
		return false;
	source = dwarf_getsrc_die(&found.unit, found.pc);
	if (source) {
		file = dwarf_linesrc(source, NULL, NULL);
		(void)dwarf_lineno(source, &line);
	}
	for (size_t i = 0; i < found.count; i++) {
		put_pair(stream, i == 0, die_name(&found.scopes[i]), file, line);
		if (i + 1 < found.count)
			call_place(&found.scopes[i], &found.unit, &file, &line);
	}
	return found.count != 0;
}

static void put_symbol(struct ksr_elf *elf, uint64_t address, FILE *stream)
{
	const struct ksr_table_symbol *symbol;

	if (!elf->has_table)
		ksr_table_create(elf->module, KSR_TABLE_CODE, &elf->table);
	elf->has_table = true;
	symbol = ksr_table_find(&elf->table, address);
	put_pair(stream, true, symbol ? symbol->name : NULL, NULL, 0);
}

char *ksr_elf_lookup(struct ksr_elf *elf, uint64_t address, bool *whole)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);

	if (!stream)
		return NULL;
	if (elf->functions && ksr_functions_units(elf->functions) >= MOST_UNITS) {
		close_module(elf);
		(void)open_module(elf);
	}
	if (!elf->module || !elf->functions) {
		fclose(stream);
		free(text);
		return NULL;
	}
	*whole = put_dwarf(elf, address, stream);
	if (!*whole)
		put_symbol(elf, address, stream);
	if (fclose(stream)) {
		free(text);
		return NULL;
	}
	/* Debug files that share strings in another, missing one, know places, and no names. */
	*whole = *whole && text[0] != '\t';
	return text;
}

static bool fits(const char *glob, const char *file)
{
	const char *slash = strrchr(file, '/');

	return fnmatch(glob, file, 0) == 0 || (slash && fnmatch(glob, slash + 1, 0) == 0);
}

/* One compilation unit: joins lines of fitting files to ranges. */
static int unit_ranges(Dwarf_Die *unit, Dwarf_Addr bias, const char *glob,
		       int (*visit)(uint64_t low, uint64_t high, void *user), void *user)
{
	Dwarf_Addr begin = 0;
	bool inside = false;
	Dwarf_Lines *lines;
	size_t count;
	int result = 0;

	if (dwarf_getsrclines(unit, &lines, &count))
		return 0;
	for (size_t i = 0; i < count && !result; i++) {
		Dwarf_Line *line = dwarf_onesrcline(lines, i);
		const char *file = dwarf_linesrc(line, NULL, NULL);
		Dwarf_Addr address;
		bool ends = false;
		bool wanted;

		if (dwarf_lineaddr(line, &address) || dwarf_lineendsequence(line, &ends))
			continue;
		wanted = !ends && file && fits(glob, file);
		if (inside && !wanted && address > begin)
			result = visit(begin + bias, address + bias, user);
		if (wanted && !inside)
			begin = address;
		inside = wanted;
	}
	return result;
}

int ksr_elf_file_ranges(struct ksr_elf *elf, const char *glob,
			int (*visit)(uint64_t low, uint64_t high, void *user), void *user)
{
	Dwarf_Die *unit = NULL;
	Dwarf_Addr bias = 0;
	int result = 0;

	while (!result && (unit = dwfl_module_nextcu(elf->module, unit, &bias)))
		result = unit_ranges(unit, bias, glob, visit, user);
	return result;
}
