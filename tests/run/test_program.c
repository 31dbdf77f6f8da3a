/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a command line leads, and what is found there. */
#define _GNU_SOURCE
#include "run/program.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/ksmalloc-program.XXXXXX";
static struct ksr_program program;
static char path[PATH_MAX];

static void setup(void)
{
	cr_assert(mkdtemp(folder) != NULL);
	cr_assert(setenv("PATH", "/usr/bin:/bin", 1) == 0);
}

static void teardown(void)
{
	char command[128];

	ksr_program_free(&program);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	cr_assert(system(command) == 0);
}

TestSuite(program, .init = setup, .fini = teardown);

static void write_file(const char *name, const void *content, size_t bytes)
{
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	cr_assert(fd >= 0 && write(fd, content, bytes) == (ssize_t)bytes);
	close(fd);
}

static void script(const char *content)
{
	write_file("script", content, strlen(content));
}

static void look(const char *first, const char *second)
{
	char *argv[] = {strdup(first), second ? strdup(second) : NULL, NULL};

	cr_assert(ksr_program_look(&program, argv) == 0);
	free(argv[0]);
	free(argv[1]);
}

/* The words, with blanks between. */
static const char *words(void)
{
	static char text[2 * PATH_MAX];

	text[0] = '\0';
	for (size_t i = 0; i < program.word_count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			 program.words[i]);
	cr_assert(program.words[program.word_count] == NULL);
	return text;
}

static const char *after_script(const char *before, const char *after)
{
	static char text[2 * PATH_MAX];

	snprintf(text, sizeof(text), "%s %s%s", before, path, after);
	return text;
}

Test(program, a_plain_one)
{
	look("cat", "x");
	cr_assert_str_eq(program.path, "/usr/bin/cat");
	cr_assert_str_eq(words(), "cat x");
	cr_assert(program.movable && !program.unfit && program.loader[0] == '/');
}

Test(program, one_that_is_not_there)
{
	look("no-such-program", NULL);
	cr_assert(program.path[0] == '\0' && !program.unfit);
}

Test(program, a_script)
{
	script("#! /bin/sh -e -u\t\necho\n");
	look(path, "x");
	cr_assert_str_eq(program.path, "/bin/sh");
	cr_assert_str_eq(words(), after_script("/bin/sh -e -u", " x"));
	/* The kernel gives all of it as one argument. */
	cr_assert_str_eq(program.words[1], "-e -u");
	cr_assert(!program.unfit);
}

Test(program, a_script_without_end_of_line)
{
	script("#!/bin/cat");
	look(path, NULL);
	cr_assert_str_eq(words(), after_script("/bin/cat", ""));
}

Test(program, a_script_of_a_script)
{
	char outer[PATH_MAX + 32];
	char inner[PATH_MAX];

	script("#!/bin/sh\n");
	strcpy(inner, path);
	snprintf(outer, sizeof(outer), "#!%s -x\n", path);
	write_file("outer", outer, strlen(outer));
	look(path, "y");
	snprintf(outer, sizeof(outer), "/bin/sh %s -x", inner);
	cr_assert_str_eq(words(), after_script(outer, " y"));
	cr_assert_str_eq(program.path, "/bin/sh");
}

Test(program, env_and_its_options)
{
	script("#!/usr/bin/env cat\n");
	look(path, "x");
	cr_assert_str_eq(program.path, "/usr/bin/cat");
	cr_assert_str_eq(words(), after_script("cat", " x"));
	ksr_program_free(&program);

	script("#!/usr/bin/env -S A=b  cat  -n -e\n");
	look(path, "x");
	cr_assert_str_eq(words(), after_script("cat -n -e", " x"));
	cr_assert(program.assignment_count == 1);
	cr_assert_str_eq(program.assignments[0], "A=b");
	ksr_program_free(&program);

	/* What is not understood stays as it is. */
	script("#!/usr/bin/env -i cat\n");
	look(path, "x");
	cr_assert(program.through_env);
	ksr_program_free(&program);

	script("#!/usr/bin/env -S cat 'a b'\n");
	look(path, "x");
	cr_assert(program.through_env);
}

Test(program, a_loop_ends)
{
	char content[PATH_MAX + 8];

	script("");
	snprintf(content, sizeof(content), "#!%s\n", path);
	script(content);
	look(path, NULL);
}

static Elf64_Ehdr read_own_header(void)
{
	Elf64_Ehdr header;
	int fd = open("/proc/self/exe", O_RDONLY);

	cr_assert(read(fd, &header, sizeof(header)) == sizeof(header));
	close(fd);
	return header;
}

Test(program, files_that_the_library_cannot_be_loaded_into)
{
	Elf64_Ehdr header = read_own_header();

	header.e_phnum = 0;
	write_file("static", &header, sizeof(header));
	look(path, NULL);
	cr_assert_str_eq(program.unfit, "is linked statically");
	cr_assert_str_eq(program.unfit_path, path);
	ksr_program_free(&program);

	header.e_ident[EI_CLASS] = ELFCLASS32;
	write_file("bits32", &header, sizeof(header));
	look(path, NULL);
	cr_assert(strstr(program.unfit, "another machine"));
	ksr_program_free(&program);

	header = read_own_header();
	header.e_machine = EM_RISCV;
	write_file("foreign", &header, sizeof(header));
	look(path, NULL);
	cr_assert(strstr(program.unfit, "another machine"));
	ksr_program_free(&program);

	script("echo without a first line\n");
	look(path, NULL);
	cr_assert(strstr(program.unfit, "neither"));
	ksr_program_free(&program);

	/* Headers that point outside of the file, or nowhere. */
	header = read_own_header();
	header.e_phoff = UINT64_MAX - 7;
	write_file("broken", &header, sizeof(header));
	look(path, NULL);
	cr_assert(program.unfit);
}

static Elf64_Ehdr write_program(const char *name, const char *loader)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr entry;
		char loader[64];
	} file = {.header = read_own_header()};

	file.header.e_phoff = sizeof(file.header);
	file.header.e_phnum = 1;
	file.header.e_phentsize = sizeof(file.entry);
	file.entry.p_type = PT_INTERP;
	file.entry.p_offset = sizeof(file.header) + sizeof(file.entry);
	file.entry.p_filesz = sizeof(file.loader);
	strcpy(file.loader, loader);
	write_file(name, &file, sizeof(file));
	return file.header;
}

/* Only loaders that are known to end the program. */
Test(program, other_c_libraries)
{
	static const struct {
		const char *loader;
		const char *unfit;
		bool ends;
	} cases[] = {
		{"/lib64/ld-linux-x86-64.so.2", NULL, false},
		{"/lib64/ld64.so.2", NULL, false},
		{"/lib/ld-musl-x86_64.so.1", "uses another libc than glibc", true},
		{"/lib/ld64-uClibc.so.1", "uses another libc than glibc", true},
		{"/system/bin/linker64", "uses another libc than glibc", true},
		{"/opt/program/loader", "names a loader that is not glibc's", false},
	};
	Elf64_Ehdr header;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		header = write_program("program", cases[i].loader);
		look(path, NULL);
		cr_assert(program.ends_preloaded == cases[i].ends && !program.is_static, "%s",
			  cases[i].loader);
		cr_assert(cases[i].unfit ? program.unfit && !strcmp(program.unfit, cases[i].unfit)
					 : !program.unfit,
			  "%s: %s", cases[i].loader, program.unfit);
		ksr_program_free(&program);
	}
	/* The loader itself, called by its name, is a file without one. */
	header.e_phnum = 0;
	write_file("ld-musl-x86_64.so.1", &header, sizeof(header));
	look(path, "x");
	cr_assert(program.ends_preloaded && !program.is_static);
	ksr_program_free(&program);

	write_file("static", &header, sizeof(header));
	look(path, NULL);
	cr_assert(!program.ends_preloaded && program.is_static);
}

Test(program, raised_rights)
{
	Elf64_Ehdr header = read_own_header();

	write_file("raised", &header, sizeof(header));
	cr_assert(chmod(path, 04755) == 0);
	look(path, NULL);
	cr_assert_str_eq(program.unfit, "is setuid");
	ksr_program_free(&program);
	cr_assert(chmod(path, 02755) == 0);
	look(path, NULL);
	cr_assert_str_eq(program.unfit, "is setgid");
}
