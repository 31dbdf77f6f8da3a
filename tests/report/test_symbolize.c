/* SPDX-License-Identifier: BSD-2-Clause */
/* The cache on disk as an attacker or a crash may leave it. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "names/cache.h"
#include "names/elf.h"
#include "names/places.h"
#include "names/symbols.h"

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
	struct ksr_cache *cache = ksr_cache_create(folder, "key", 0xabc);
	const char *found = ksr_cache_get(cache, address);
	bool result = found && strcmp(found, answer) == 0;

	ksr_cache_destroy(cache);
	return result;
}

Test(symbolize, test_cache_survives, .init = make_folder, .fini = remove_folder)
{
	struct ksr_cache *cache = ksr_cache_create(folder, "key", 0xabc);

	ksr_cache_put(cache, 0x30, "third\t", true);
	ksr_cache_put(cache, 0x10, "first\tfile.c:1", true);
	ksr_cache_put(cache, 0x20, "evil\x1b[2J\nff forged\t", false);
	cr_assert_null(ksr_cache_get(cache, 0x11));
	ksr_cache_destroy(cache);
	cr_assert(knows(0x10, "first\tfile.c:1"));
	cr_assert(knows(0x30, "third\t"));
	cr_assert(knows(0x20, "evil?[2J?ff forged\t"), "an answer cannot forge another line");
	cr_assert_not(knows(0xff, "forged\t"));
}

static void put_old(int number, off_t bytes)
{
	const struct timespec times[2] = {{.tv_sec = 1000000 + number}, {.tv_sec = 1000000 + number}};
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/old-%04d", folder, number);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	cr_assert(fd >= 0 && ftruncate(fd, bytes) == 0 && futimens(fd, times) == 0);
	close(fd);
}

static bool has_old(int number)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/old-%04d", folder, number);
	return access(path, F_OK) == 0;
}

static void save_one(void)
{
	struct ksr_cache *cache = ksr_cache_create(folder, "key", 0xabc);

	ksr_cache_put(cache, 0x30, "third\t", true);
	ksr_cache_destroy(cache);
	cr_assert(knows(0x30, "third\t"), "what was just written goes last");
}

Test(symbolize, test_cache_has_no_more_files_than, .init = make_folder, .fini = remove_folder)
{
	for (int i = 0; i < 1100; i++)
		put_old(i, 10);
	save_one();
	cr_assert_not(has_old(0) || has_old(300));
	cr_assert(has_old(1099) && has_old(400));
}

Test(symbolize, test_cache_has_no_more_bytes_than, .init = make_folder, .fini = remove_folder)
{
	for (int i = 0; i < 10; i++)
		put_old(i, 7 << 20);
	save_one();
	cr_assert_not(has_old(0) || has_old(3));
	cr_assert(has_old(4) && has_old(9));
}

Test(symbolize, test_cache_of_another_version_is_ignored, .init = make_folder,
     .fini = remove_folder)
{
	write_cache("ksmalloc-symbols 3 key\nplaces abc\n10 good\t\n", 0600);
	cr_assert(knows(0x10, "good\t"));
	write_cache("ksmalloc-symbols 4 key\nplaces abc\n10 good\t\n", 0600);
	cr_assert_not(knows(0x10, "good\t"));
	write_cache("ksmalloc-symbols 3 yek\nplaces abc\n10 good\t\n", 0600);
	cr_assert_not(knows(0x10, "good\t"));
}

Test(symbolize, test_cache_that_others_may_write_is_ignored, .init = make_folder,
     .fini = remove_folder)
{
	write_cache("ksmalloc-symbols 3 key\nplaces abc\n10 good\t\n", 0666);
	cr_assert_not(knows(0x10, "good\t"));
}

Test(symbolize, test_cache_nonsense_lines, .init = make_folder, .fini = remove_folder)
{
	write_cache("ksmalloc-symbols 3 key\nplaces abc\n\n \nzz x\n10\n 11 y\n12 good\t\n13",
		    0600);
	cr_assert(knows(0x12, "good\t"));
	cr_assert_not(knows(0x0, ""));
	cr_assert_not(knows(0x11, "y"));
	cr_assert_not(knows(0x10, ""));
}

/* What debug information said is kept; "no name" and names without lines until a place changes. */
Test(symbolize, test_cache_of_other_places, .init = make_folder, .fini = remove_folder)
{
	struct ksr_cache *cache = ksr_cache_create(folder, "key", 1);

	ksr_cache_put(cache, 0x10, "whole\tfile.c:1", true);
	ksr_cache_put(cache, 0x20, "\t", false);
	ksr_cache_put(cache, 0x30, "name\t", false);
	ksr_cache_destroy(cache);
	cache = ksr_cache_create(folder, "key", 1);
	cr_assert_str_eq(ksr_cache_get(cache, 0x20), "\t");
	cr_assert_str_eq(ksr_cache_get(cache, 0x30), "name\t");
	ksr_cache_destroy(cache);
	cache = ksr_cache_create(folder, "key", 2);
	cr_assert_str_eq(ksr_cache_get(cache, 0x10), "whole\tfile.c:1");
	cr_assert_null(ksr_cache_get(cache, 0x20));
	cr_assert_null(ksr_cache_get(cache, 0x30));
	ksr_cache_put(cache, 0x20, "found\tfile.c:2", true);
	ksr_cache_destroy(cache);
	cache = ksr_cache_create(folder, "key", 1);
	cr_assert_str_eq(ksr_cache_get(cache, 0x20), "found\tfile.c:2");
	cr_assert_null(ksr_cache_get(cache, 0x30), "it was dropped with its places");
	ksr_cache_destroy(cache);
}

/* So that a change within one tick of the clock is one, too. */
static void make_old(const char *path)
{
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void touch(const char *path)
{
	FILE *file = fopen(path, "w");

	cr_assert(file);
	fclose(file);
}

Test(symbolize, test_debug_places, .init = make_folder, .fini = remove_folder)
{
	uint64_t seen[8];
	size_t count = 0;
	char program[96];
	char debug[96];
	char file[128];

	snprintf(program, sizeof(program), "%s/program", folder);
	snprintf(debug, sizeof(debug), "%s/.debug", folder);
	snprintf(file, sizeof(file), "%s/program.debug", debug);
	unsetenv("DEBUGINFOD_URLS");
	make_old(folder);
	seen[count++] = ksr_debug_places(program, "0123");
	cr_assert_eq(ksr_debug_places(program, "0123"), seen[0], "nothing has changed");
	seen[count++] = ksr_debug_places(program, "");
	touch(program);
	make_old(program);
	make_old(folder);
	seen[count++] = ksr_debug_places(program, "0123");
	cr_assert_eq(mkdir(debug, 0700), 0);
	make_old(debug);
	seen[count++] = ksr_debug_places(program, "0123");
	touch(file);
	seen[count++] = ksr_debug_places(program, "0123");
	touch(program);
	seen[count++] = ksr_debug_places(program, "0123");
	setenv("DEBUGINFOD_URLS", "https://debuginfod.example", 1);
	seen[count++] = ksr_debug_places(program, "0123");
	for (size_t i = 1; i < count; i++) {
		for (size_t k = 0; k < i; k++)
			cr_expect_neq(seen[i], seen[k], "change %zu is not seen", i);
	}
	/* Any path that a process may name. */
	(void)ksr_debug_places("", "0123");
	(void)ksr_debug_places("/", "");
	(void)ksr_debug_places("no-slash", "01");
}

static void expect_folder(const char *xdg, const char *home, const char *expected)
{
	char found[256];

	if (xdg)
		setenv("XDG_CACHE_HOME", xdg, 1);
	else
		unsetenv("XDG_CACHE_HOME");
	setenv("HOME", home, 1);
	ksr_cache_folder(found, sizeof(found));
	cr_expect_str_eq(found, expected, "XDG_CACHE_HOME %s, HOME %s: %s", xdg ? xdg : "(unset)",
			 home, found);
}

/* Made with its parents where it is missing, and only where nobody else could have made it. */
Test(symbolize, test_cache_folder, .init = make_folder, .fini = remove_folder)
{
	struct stat status;
	char missing[96];
	char expected[160];
	char shared[96];
	char below[128];

	snprintf(missing, sizeof(missing), "%s/a/b/cache", folder);
	snprintf(expected, sizeof(expected), "%s/ksmalloc/symbols", missing);
	expect_folder(missing, "/", expected);
	cr_assert_eq(stat(missing, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0700);
	expect_folder(missing, "/", expected);
	/* Anybody can make names in a shared folder, but only root's sticky one protects ours. */
	snprintf(shared, sizeof(shared), "%s/shared", folder);
	snprintf(below, sizeof(below), "%s/cache", shared);
	cr_assert_eq(mkdir(shared, 0700) | chmod(shared, 0777), 0);
	expect_folder(below, "/", "");
	cr_assert_neq(stat(below, &status), 0, "nothing was made");
	cr_assert_eq(chmod(shared, 01777), 0);
	snprintf(expected, sizeof(expected), "%s/ksmalloc/symbols", below);
	expect_folder(below, "/", expected);
	/* HOME is never made; below it .cache is, when there is something to save. */
	snprintf(missing, sizeof(missing), "%s/no-home", folder);
	expect_folder(NULL, missing, "");
	cr_assert_neq(stat(missing, &status), 0);
	snprintf(expected, sizeof(expected), "%s/.cache/ksmalloc/symbols", folder);
	expect_folder(NULL, folder, expected);
	expect_folder("relative/path", folder, expected);
	{
		struct ksr_cache *cache = ksr_cache_create(expected, "key", 1);

		ksr_cache_put(cache, 0x10, "name\tfile.c:1", true);
		ksr_cache_destroy(cache);
		cr_assert_eq(stat(expected, &status), 0);
	}
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
