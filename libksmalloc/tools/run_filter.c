/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The libraries are asked of the program's own loader ("ld.so --list"), which
 * knows the search path, RUNPATH and all. A script is followed to its
 * interpreter. Libraries opened later by dlopen are not covered: name their
 * functions or modules instead.
 */
#define _GNU_SOURCE
#include "run_filter.h"

#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs.h"
#include "symbolize_elf.h"

/* The kernel refuses one string of the environment from 128 KiB on. */
#define LIST_LIMIT (120 * 1024)
/* env(1) and a shell in between make two; more is a loop. */
#define MOST_INTERPRETERS 4

struct search {
	FILE *output;
	const char *build_id;
	size_t found;
};

/* Like the shell: a name without a slash is searched in PATH. */
static bool find_program(const char *name, char path[PATH_MAX])
{
	const char *rest = getenv("PATH");

	if (strchr(name, '/'))
		return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX && access(path, R_OK) == 0;
	while (rest && *rest) {
		size_t bytes = strcspn(rest, ":");

		if (snprintf(path, PATH_MAX, "%.*s/%s", (int)bytes, bytes ? rest : ".", name) <
			    PATH_MAX &&
		    access(path, X_OK) == 0)
			return true;
		rest += bytes + (rest[bytes] == ':');
	}
	return false;
}

/* Replaces the path of a script by that of its interpreter; false when it is no script. */
static bool follow_script(char path[PATH_MAX])
{
	char head[256] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, head, sizeof(head) - 1);
	char *rest = head + 2;
	const char *word;

	if (fd >= 0)
		close(fd);
	if (got < 3 || head[0] != '#' || head[1] != '!')
		return false;
	rest[strcspn(rest, "\n")] = '\0';
	while ((word = strsep(&rest, " \t"))) {
		/* env takes options and assignments before the name of the program. */
		if (!word[0] || word[0] == '-' || strchr(word, '='))
			continue;
		if (strcmp(word, "/usr/bin/env") != 0 && strcmp(word, "/bin/env") != 0)
			return find_program(word, path);
	}
	return false;
}

/* The loader that the program names; false for a static one or no ELF file. */
static bool find_loader(const char *path, char loader[PATH_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr header;
	bool found = false;

	if (fd < 0)
		return false;
	if (pread(fd, &header, sizeof(header), 0) == sizeof(header) &&
	    memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
	    header.e_ident[EI_CLASS] == ELFCLASS64) {
		for (unsigned int i = 0; i < header.e_phnum && !found; i++) {
			Elf64_Phdr entry;
			off_t at = (off_t)(header.e_phoff + (uint64_t)i * header.e_phentsize);

			if (pread(fd, &entry, sizeof(entry), at) != sizeof(entry))
				break;
			found = entry.p_type == PT_INTERP && entry.p_filesz < PATH_MAX &&
				pread(fd, loader, entry.p_filesz, (off_t)entry.p_offset) ==
					(ssize_t)entry.p_filesz;
			if (found)
				loader[entry.p_filesz] = '\0';
		}
	}
	close(fd);
	return found;
}

/* What "LOADER --list PROGRAM" prints; empty when there is none. */
static void list_libraries(const char *path, struct ksr_text *text)
{
	char loader[PATH_MAX];
	int ends[2];
	pid_t child;

	text->data = NULL;
	text->size = 0;
	if (!find_loader(path, loader) || pipe2(ends, O_CLOEXEC))
		return;
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execl(loader, loader, "--list", path, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	if (child > 0) {
		(void)ksr_fs_read_fd(ends[0], KSM_MIB, text);
		waitpid(child, NULL, 0);
	}
	close(ends[0]);
}

static int put_range(uint64_t low, uint64_t high, void *user)
{
	struct search *search = user;

	fprintf(search->output, "%srange:%s:%" PRIx64 "-%" PRIx64, ftell(search->output) ? "," : "",
		search->build_id, low, high);
	search->found++;
	return ftell(search->output) > LIST_LIMIT;
}

static void search_file(struct search *search, const char *glob, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct ksr_elf *elf = fd < 0 ? NULL : ksr_elf_create(fd, path);
	const unsigned char *id;
	char hex[129] = "";
	size_t bytes;

	if (!elf)
		return;
	bytes = ksr_elf_build_id(elf, &id);
	for (size_t i = 0; i < bytes && 2 * i + 2 < sizeof(hex); i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	search->build_id = hex;
	/* Without a build-id the library could not tell which file a range is in. */
	if (bytes)
		(void)ksr_elf_file_ranges(elf, glob, put_range, search);
	ksr_elf_destroy(elf);
}

/* Each line of the loader's list has one path, before the address in parentheses. */
static void search_libraries(struct search *search, const char *glob, const char *path)
{
	struct ksr_text text;
	size_t position = 0;
	const char *line;
	size_t bytes;

	list_libraries(path, &text);
	while (text.data && ksr_text_line(&text, &position, &line, &bytes)) {
		const char *slash = memchr(line, '/', bytes);
		const char *blank =
			slash ? memmem(slash, (size_t)(line + bytes - slash), " (", 2) : NULL;
		char library[PATH_MAX];

		if (!blank || blank - slash >= PATH_MAX)
			continue;
		snprintf(library, sizeof(library), "%.*s", (int)(blank - slash), slash);
		search_file(search, glob, library);
	}
	free(text.data);
}

static bool resolve_pattern(FILE *output, const char *glob, const char *program, char *why,
			    size_t why_bytes)
{
	struct search search = {.output = output};
	char path[PATH_MAX];

	if (!find_program(program, path)) {
		snprintf(why, why_bytes, "'file:%s': the program '%s' was not found", glob,
			 program);
		return false;
	}
	for (int i = 0; i < MOST_INTERPRETERS && follow_script(path); i++)
		;
	search_file(&search, glob, path);
	search_libraries(&search, glob, path);
	if (search.found == 0)
		snprintf(why, why_bytes,
			 "'file:%s': neither '%s' nor its libraries have debug "
			 "information of such a file; build with -g, or use function:GLOB",
			 glob, path);
	return search.found != 0;
}

char *ksr_run_filter(const char *list, const char *program, char *why, size_t why_bytes)
{
	char *copy = strdup(list);
	char *rest = copy;
	char *text = NULL;
	size_t bytes = 0;
	FILE *output = open_memstream(&text, &bytes);
	const char *pattern;
	bool good = copy && output;

	if (!good)
		snprintf(why, why_bytes, "out of memory");
	while (good && (pattern = strsep(&rest, ","))) {
		if (strncmp(pattern, "file:", 5) == 0)
			good = resolve_pattern(output, pattern + 5, program, why, why_bytes);
		else if (pattern[0])
			fprintf(output, "%s%s", ftell(output) ? "," : "", pattern);
	}
	if (output && fclose(output) && good) {
		snprintf(why, why_bytes, "out of memory");
		good = false;
	}
	if (good && bytes > LIST_LIMIT) {
		snprintf(why, why_bytes, "'%s' covers too many places; give narrower patterns",
			 list);
		good = false;
	}
	free(copy);
	if (!good) {
		free(text);
		return NULL;
	}
	return text;
}
