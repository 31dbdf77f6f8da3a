/* SPDX-License-Identifier: BSD-2-Clause */
/* The cache on disk as an attacker or a crash may leave it, and what is plumbing. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbolize.h"
#include "symbolize_elf.h"
#include "symbolize_cache.h"

static char folder[64];

static void make_folder(void)
{
	strcpy(folder, "/tmp/ksr-cache-XXXXXX");
	cr_assert(mkdtemp(folder));
}

static void remove_folder(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	cr_assert_eq(system(command), 0);
}

static void write_cache(const char *text, mode_t mode)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/key", folder);
	file = fopen(path, "w");
	cr_assert(file);
	fputs(text, file);
	fclose(file);
	cr_assert_eq(chmod(path, mode), 0);
}

static bool knows(uint64_t address, const char *answer)
{
	struct ksr_cache *cache = ksr_cache_create(folder, "key");
	const char *found = ksr_cache_get(cache, address);
	bool result = found && strcmp(found, answer) == 0;

	ksr_cache_destroy(cache);
	return result;
}

Test(symbolize, test_cache_survives, .init = make_folder, .fini = remove_folder)
{
	struct ksr_cache *cache = ksr_cache_create(folder, "key");

	ksr_cache_put(cache, 0x30, "third\t");
	ksr_cache_put(cache, 0x10, "first\tfile.c:1");
	ksr_cache_put(cache, 0x20, "evil\x1b[2J\nff forged\t");
	cr_assert_null(ksr_cache_get(cache, 0x11));
	ksr_cache_destroy(cache);
	cr_assert(knows(0x10, "first\tfile.c:1"));
	cr_assert(knows(0x30, "third\t"));
	cr_assert(knows(0x20, "evil?[2J?ff forged\t"), "an answer cannot forge another line");
	cr_assert_not(knows(0xff, "forged\t"));
}

Test(symbolize, test_cache_of_another_version_is_ignored, .init = make_folder,
     .fini = remove_folder)
{
	write_cache("ksmalloc-symbols 1 key\n10 good\t\n", 0600);
	cr_assert(knows(0x10, "good\t"));
	write_cache("ksmalloc-symbols 2 key\n10 good\t\n", 0600);
	cr_assert_not(knows(0x10, "good\t"));
	write_cache("ksmalloc-symbols 1 yek\n10 good\t\n", 0600);
	cr_assert_not(knows(0x10, "good\t"));
}

Test(symbolize, test_cache_that_others_may_write_is_ignored, .init = make_folder,
     .fini = remove_folder)
{
	write_cache("ksmalloc-symbols 1 key\n10 good\t\n", 0666);
	cr_assert_not(knows(0x10, "good\t"));
}

Test(symbolize, test_cache_nonsense_lines, .init = make_folder, .fini = remove_folder)
{
	write_cache("ksmalloc-symbols 1 key\n\n \nzz x\n10\n 11 y\n12 good\t\n13", 0600);
	cr_assert(knows(0x12, "good\t"));
	cr_assert_not(knows(0x0, ""));
	cr_assert_not(knows(0x10, ""));
}

Test(symbolize, test_plumbing)
{
	cr_assert(ksr_is_plumbing("anything", "libksmalloc.so.0"));
	cr_assert(ksr_is_plumbing("malloc", "libc.so.6"));
	cr_assert(ksr_is_plumbing("PyMem_RawMalloc", "python3.11"));
	cr_assert(ksr_is_plumbing("operator new[](unsigned long)", "libstdc++.so.6"));
	cr_assert_not(ksr_is_plumbing("PyBytes_FromStringAndSize", "python3.11"));
	cr_assert_not(ksr_is_plumbing("malloc_config", "server"));
	cr_assert_not(ksr_is_plumbing("main", "malloc"));
}

Test(symbolize, test_demangle)
{
	char text[24];

	ksr_elf_demangle("_ZTV10BlockBegin", text, sizeof(text));
	cr_assert_str_eq(text, "vtable for BlockBegin");
	ksr_elf_demangle("main_arena", text, sizeof(text));
	cr_assert_str_eq(text, "main_arena");
	ksr_elf_demangle("_Znonsense", text, sizeof(text));
	cr_assert_str_eq(text, "_Znonsense");
	ksr_elf_demangle("_ZTV30AClassWithANameThatIsVeryLongX", text, sizeof(text));
	cr_assert_eq(strlen(text), sizeof(text) - 1, "cut, and terminated");
}
