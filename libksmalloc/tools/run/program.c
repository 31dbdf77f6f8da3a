/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel follows "#!" by putting the interpreter, at most one argument and the
 * script's path before the script's arguments. env(1) then searches a name in
 * PATH. Both are done here to a copy of the command line, one step at a time,
 * until a file is reached that is no script.
 */
#define _GNU_SOURCE
#include "run/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The kernel follows five; env and shims of version managers add some. More is a loop. */
#define MOST_STEPS 12
/* The kernel reads so much of a script to find its interpreter. */
#define HEAD_BYTES 256
/* Command lines and environments that differ by less put the stack at equal addresses. */
#define STACK_STEP 4096

/* A pipe that has a program's name would keep us waiting for a writer; exec refuses it. */
#define READ (O_RDONLY | O_NONBLOCK | O_CLOEXEC)

static const char foreign_libc[] = "uses another libc than glibc";

/* What cannot be executed is for exec to complain about. */
static bool is_program(const char *path)
{
	struct stat status;

	return access(path, X_OK) == 0 && stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

bool ksr_program_find(const char *name, char path[PATH_MAX])
{
	const char *rest = getenv("PATH");

	if (strchr(name, '/'))
		return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX && access(path, F_OK) == 0;
	if (!rest)
		rest = "/bin:/usr/bin"; /* as execvp(3) does */
	while (*rest) {
		size_t bytes = strcspn(rest, ":");

		if (snprintf(path, PATH_MAX, "%.*s/%s", (int)bytes, bytes ? rest : ".", name) < PATH_MAX && is_program(path))
			return true;
		rest += bytes + (rest[bytes] == ':');
	}
	return false;
}

/* --- ELF ---------------------------------------------------------------------------- */

static bool read_header(int fd, Elf64_Ehdr *header)
{
	return pread(fd, header, sizeof(*header), 0) == sizeof(*header) &&
	       memcmp(header->e_ident, ELFMAG, SELFMAG) == 0;
}

static bool read_loader(int fd, const Elf64_Ehdr *header, char loader[PATH_MAX])
{
	for (unsigned int i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr entry;
		off_t at = (off_t)(header->e_phoff + (uint64_t)i * header->e_phentsize);

		if (pread(fd, &entry, sizeof(entry), at) != sizeof(entry))
			return false;
		if (entry.p_type != PT_INTERP)
			continue;
		if (entry.p_filesz >= PATH_MAX ||
		    pread(fd, loader, entry.p_filesz, (off_t)entry.p_offset) !=
			    (ssize_t)entry.p_filesz)
			return false;
		loader[entry.p_filesz] = '\0';
		return true;
	}
	return false;
}

bool ksr_program_loader(const char *path, char loader[PATH_MAX])
{
	int fd = open(path, READ);
	Elf64_Ehdr header;
	bool found;

	if (fd < 0)
		return false;
	found = read_header(fd, &header) && header.e_ident[EI_CLASS] == ELFCLASS64 &&
		read_loader(fd, &header, loader);
	close(fd);
	return found;
}

/*
 * Where the file has the strings of the dynamic symbols: bytes of them, up to end; none when
 * the file's tables do not say it.
 */
static void find_strings(int fd, const Elf64_Ehdr *header, uint64_t *end, uint64_t *bytes)
{
	struct stat status;

	*bytes = 0;
	if (fstat(fd, &status))
		return;
	for (unsigned int i = 0; i < header->e_shnum; i++) {
		Elf64_Shdr section;
		off_t at = (off_t)(header->e_shoff + (uint64_t)i * header->e_shentsize);

		if (pread(fd, &section, sizeof(section), at) != sizeof(section))
			return;
		if (section.sh_type != SHT_STRTAB || !(section.sh_flags & SHF_ALLOC))
			continue;
		/* The only one that is loaded is that of the dynamic symbols. */
		if (section.sh_size > (uint64_t)status.st_size ||
		    section.sh_offset > (uint64_t)status.st_size - section.sh_size)
			return;
		*bytes = section.sh_size;
		*end = section.sh_offset + section.sh_size;
		return;
	}
}

/* The library is built for the machine that this command is built for. */
static bool is_our_machine(const Elf64_Ehdr *header)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr own;
	bool same = true;

	if (fd < 0)
		return true;
	if (read_header(fd, &own))
		same = own.e_ident[EI_CLASS] == header->e_ident[EI_CLASS] &&
		       own.e_machine == header->e_machine;
	close(fd);
	return same;
}

/* An executable that the loader treats as privileged ignores LD_PRELOAD, and the kernel undoes the
 * layout. */
static const char *raised_rights(int fd)
{
	struct stat status;

	if (fstat(fd, &status))
		return NULL;
	if (status.st_mode & S_ISUID)
		return "is setuid";
	if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return "is setgid";
	if (fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return "has file capabilities";
	return NULL;
}

/*
 * Sanitizers reserve large parts of the address space where libraries lie in the shared
 * layout. Their programs have the name of the runtime's first function among those
 * that the loader sees, whether it is linked into them or not.
 */
static bool has_sanitizer(int fd, const Elf64_Ehdr *header)
{
	static const char *const functions[] = {"__asan_init", "__hwasan_init", "__msan_init",
						"__tsan_init"};
	uint64_t end;
	uint64_t bytes;
	bool found = false;
	char *text;

	find_strings(fd, header, &end, &bytes);
	if (bytes == 0)
		return false;
	text = mmap(NULL, end, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return false;
	for (size_t i = 0; i < KSM_COUNT_OF(functions) && !found; i++)
		found = memmem(text + end - bytes, bytes, functions[i], strlen(functions[i]) + 1) !=
			NULL;
	munmap(text, end);
	return found;
}

static bool begins_with(const char *path, const char *const *names, size_t count)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < count; i++) {
		if (strncmp(name, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

/*
 * Loaders of musl, uClibc and Android heed LD_PRELOAD, do not find what the library takes from
 * glibc, and end the program. A loader of an unknown name may be anybody's.
 */
static bool is_foreign_loader(const char *path)
{
	static const char *const names[] = {"ld-musl-", "ld-uClibc", "ld64-uClibc", "linker"};

	return begins_with(path, names, KSM_COUNT_OF(names));
}

static bool is_glibc_loader(const char *path)
{
	static const char *const names[] = {"ld-linux", "ld64"};

	return begins_with(path, names, KSM_COUNT_OF(names));
}

/* Why the library cannot be loaded into the file, or NULL; fills what is known of it. */
static const char *judge(struct ksr_program *program, int fd)
{
	Elf64_Ehdr header;
	const char *why;

	program->loader[0] = '\0';
	program->movable = false;
	program->is_static = false;
	if (!read_header(fd, &header))
		return "is neither an ELF program nor a script that names its interpreter";
	if (!is_our_machine(&header))
		return "is built for another machine than the library (32 bits, or another "
		       "processor)";
	why = raised_rights(fd);
	program->raised_rights = why != NULL;
	if (why)
		return why;
	if (!read_loader(fd, &header, program->loader)) {
		program->loader[0] = '\0';
		/* A loader may be called by its name, with the program behind it. */
		program->is_static = !is_foreign_loader(program->path);
		return program->is_static ? "is linked statically" : foreign_libc;
	}
	if (is_foreign_loader(program->loader))
		return foreign_libc;
	if (!is_glibc_loader(program->loader))
		return "names a loader that is not glibc's";
	if (has_sanitizer(fd, &header))
		return "is built with a sanitizer, which has a layout of its own";
	program->movable = header.e_type == ET_DYN;
	return NULL;
}

/* --- the command line ------------------------------------------------------------------ */

int ksr_program_insert(struct ksr_program *program, size_t index, const char *word)
{
	char *copy = strdup(word);
	char **larger = reallocarray(program->words, program->word_count + 2, sizeof(*larger));

	if (larger)
		program->words = larger;
	if (!copy || !larger) {
		free(copy);
		return -ENOMEM;
	}
	memmove(larger + index + 1, larger + index,
		(program->word_count + 1 - index) * sizeof(*larger));
	larger[index] = copy;
	program->word_count++;
	return 0;
}

static int replace(struct ksr_program *program, size_t index, const char *word)
{
	char *copy = strdup(word);

	if (!copy)
		return -ENOMEM;
	free(program->words[index]);
	program->words[index] = copy;
	return 0;
}

static void drop(struct ksr_program *program, size_t index)
{
	free(program->words[index]);
	memmove(program->words + index, program->words + index + 1,
		(program->word_count - index) * sizeof(*program->words));
	program->word_count--;
}

static int assign(struct ksr_program *program, const char *assignment)
{
	char **larger =
		reallocarray(program->assignments, program->assignment_count + 2, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	program->assignments = larger;
	larger[program->assignment_count] = strdup(assignment);
	if (!larger[program->assignment_count])
		return -ENOMEM;
	larger[++program->assignment_count] = NULL;
	return 0;
}

/* The text of -S without quotes, escapes and variables is words between blanks. */
static int split(struct ksr_program *program, size_t index, const char *text)
{
	char *copy = strdup(text);
	char *rest = copy;
	const char *word;
	int error = copy ? 0 : -ENOMEM;

	while (!error && (word = strsep(&rest, " \t"))) {
		if (word[0])
			error = ksr_program_insert(program, index++, word);
	}
	free(copy);
	return error;
}

/*
 * Turns "env NAME ARGUMENT..." into "NAME ARGUMENT..." and finds NAME. Returns 1 if env has to
 * stay, since it was given something that is not understood here.
 */
static int step_over_env(struct ksr_program *program)
{
	char *first = program->word_count > 1 ? program->words[1] : NULL;
	int error = 0;

	if (first && strncmp(first, "-S", 2) == 0 && !strpbrk(first, "\"'\\$#")) {
		char *text = strdup(first + 2);

		drop(program, 1);
		error = text ? split(program, 1, text) : -ENOMEM;
		free(text);
	}
	for (;;) {
		const char *word = program->word_count > 1 ? program->words[1] : NULL;

		if (error)
			return error;
		if (!word || word[0] == '-')
			return 1;
		if (!strchr(word, '='))
			break;
		error = assign(program, word);
		drop(program, 1);
	}
	if (!ksr_program_find(program->words[1], program->path))
		return 1;
	drop(program, 0);
	return 0;
}

/* "#!INTERPRETER ARGUMENT": returns 1 and puts both before the script's path, 0 if it is no script.
 */
static int step_to_interpreter(struct ksr_program *program, int fd)
{
	char head[HEAD_BYTES + 1];
	ssize_t got = pread(fd, head, HEAD_BYTES, 0);
	char *text = head + 2;
	char *argument;
	size_t bytes;
	int error;

	if (got < 3 || head[0] != '#' || head[1] != '!')
		return 0;
	head[got] = '\0';
	text[strcspn(text, "\n")] = '\0';
	bytes = strlen(text);
	while (bytes > 0 && strchr(" \t", text[bytes - 1]))
		text[--bytes] = '\0';
	text += strspn(text, " \t");
	argument = text + strcspn(text, " \t");
	if (*argument)
		*argument++ = '\0';
	argument += strspn(argument, " \t");
	if (!text[0])
		return 0;
	/* The script's path takes the place of the name that it was called by. */
	error = replace(program, 0, program->path);
	if (!error && argument[0])
		error = ksr_program_insert(program, 0, argument);
	if (!error)
		error = ksr_program_insert(program, 0, text);
	snprintf(program->path, sizeof(program->path), "%s", text);
	return error ? error : 1;
}

static bool is_env(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, "env") == 0;
}

/* Keeps the first reason of all files on the way, or the first one that ends the program. */
static void note_unfit(struct ksr_program *program, const char *why)
{
	if (!why || program->ends_preloaded || (program->unfit && why != foreign_libc))
		return;
	program->ends_preloaded = why == foreign_libc;
	program->unfit = why;
	snprintf(program->unfit_path, sizeof(program->unfit_path), "%s", program->path);
}

/* Returns 1 if there is a further step, 0 at the end. */
static int step(struct ksr_program *program)
{
	int result;
	int fd;

	if (!is_program(program->path))
		return 0;
	fd = open(program->path, READ);
	if (fd < 0) {
		note_unfit(program, "cannot be read");
		return 0;
	}
	result = step_to_interpreter(program, fd);
	if (result == 0)
		note_unfit(program, judge(program, fd));
	close(fd);
	if (result != 0 || !is_env(program->path))
		return result;
	result = step_over_env(program);
	program->through_env = result == 1;
	return result < 0 ? result : !result;
}

int ksr_program_look(struct ksr_program *program, char **argv)
{
	int result = 1;

	*program = (struct ksr_program){0};
	program->words = calloc(1, sizeof(*program->words));
	if (!program->words)
		return -ENOMEM;
	/* All words are copies, so that it does not matter where one came from. */
	for (size_t i = 0; argv[i]; i++) {
		if (ksr_program_insert(program, i, argv[i]))
			return -ENOMEM;
	}
	if (!ksr_program_find(argv[0], program->path)) {
		program->path[0] = '\0';
		return 0;
	}
	for (int i = 0; i < MOST_STEPS && result == 1; i++)
		result = step(program);
	return result < 0 ? result : 0;
}

int ksr_program_rename(struct ksr_program *program, char **argv, const char *name)
{
	char *copy;

	for (size_t i = 0; i < program->word_count; i++) {
		if (!argv[i] || strcmp(argv[i], program->words[i]) != 0)
			return 0;
	}
	copy = program->word_count ? strdup(name) : NULL;
	if (!copy)
		return program->word_count ? -ENOMEM : 0;
	free(program->words[0]);
	program->words[0] = copy;
	program->name = name;
	return 0;
}

/* --- executing --------------------------------------------------------------------------- */

/*
 * The kernel copies the path, the environment and the arguments to the top of the
 * stack, aligns, and puts an array of pointers to them below: a worker with one byte
 * more can find its stack 16 bytes lower. Lua makes a stack address part of a hash seed.
 * Colons at the end of LD_PRELOAD mean nothing, and fill up to the next page.
 */
static int level_stack(const struct ksr_program *program)
{
	const char *list = getenv("LD_PRELOAD");
	size_t bytes = strlen(program->path) + 1 + sizeof(void *);
	size_t pointers = program->word_count;
	size_t fill;
	char *longer;
	int error;

	for (size_t i = 0; i < program->word_count; i++)
		bytes += strlen(program->words[i]) + 1;
	for (size_t i = 0; environ[i]; i++, pointers++)
		bytes += strlen(environ[i]) + 1;
	bytes += 16 * ((pointers + 1) / 2);
	fill = ksm_align_up(bytes, STACK_STEP) - bytes;
	longer = list ? malloc(strlen(list) + fill + 1) : NULL;
	if (!longer)
		return -ENOMEM;
	memset(stpcpy(longer, list), ':', fill);
	longer[strlen(list) + fill] = '\0';
	error = setenv("LD_PRELOAD", longer, 1) ? -ENOMEM : 0;
	free(longer);
	return error;
}

int ksr_program_execute(struct ksr_program *program, char **argv)
{
	bool by_words = program->changed || program->level_stack;

	/* The kernel would add the words of a script by itself. */
	if (!by_words || program->through_env) {
		const char *file = argv[0];

		if (program->name)
			argv[0] = (char *)(uintptr_t)program->name;
		execvp(file, argv);
		argv[0] = (char *)(uintptr_t)file;
		return errno;
	}
	for (size_t i = 0; i < program->assignment_count; i++)
		putenv(program->assignments[i]);
	if (program->level_stack && level_stack(program))
		return ENOMEM;
	execv(program->path, program->words);
	return errno;
}

void ksr_program_free(struct ksr_program *program)
{
	for (size_t i = 0; i < program->word_count; i++)
		free(program->words[i]);
	for (size_t i = 0; i < program->assignment_count; i++)
		free(program->assignments[i]);
	free(program->words);
	free(program->assignments);
	*program = (struct ksr_program){0};
}
