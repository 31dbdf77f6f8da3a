/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The libraries are asked of the program's own loader ("ld.so --list"), which
 * knows the search path, RUNPATH and all. A script is followed to its
 * interpreter. Libraries opened later by dlopen are not covered: name their
 * functions or modules instead.
 */
#define _GNU_SOURCE
#include "run/filter.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "read/fs.h"
#include "names/elf.h"

/* The kernel refuses one string of the environment from 128 KiB on. */
#define LIST_LIMIT (120 * 1024)

struct search {
	FILE *output;
	const char *build_id;
	size_t found;
};

/* What "LOADER --list PROGRAM" prints; empty when there is none. */
static void list_libraries(const char *path, struct ksr_text *text)
{
	char loader[PATH_MAX];
	int ends[2];
	pid_t child;

	text->data = NULL;
	text->size = 0;
	if (!ksr_program_loader(path, loader) || pipe2(ends, O_CLOEXEC))
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
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct ksr_elf *elf = fd < 0 ? NULL : ksr_elf_create(fd, path, NULL);
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

static bool resolve_pattern(FILE *output, const char *glob, const struct ksr_program *program,
			    char *why, size_t why_bytes)
{
	struct search search = {.output = output};

	if (!program->path[0]) {
		snprintf(why, why_bytes, "'file:%s': the program '%s' was not found", glob,
			 program->words[0]);
		return false;
	}
	search_file(&search, glob, program->path);
	search_libraries(&search, glob, program->path);
	if (search.found == 0)
		snprintf(why, why_bytes,
			 "'file:%s': neither '%s' nor its libraries have debug "
			 "information of such a file; build with -g, or use function:GLOB",
			 glob, program->path);
	return search.found != 0;
}

char *ksr_run_filter(const char *list, const struct ksr_program *program, char *why,
		     size_t why_bytes)
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
