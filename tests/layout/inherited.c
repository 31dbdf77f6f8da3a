/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inherited serve: a master with 64 MiB of small blocks, half of them freed again all over, forks three children that allocate
 * for themselves. Prints its pid and theirs, and ends with the standard input.
 * inherited count PARENT CHILD: prints how many pages both have at the same addresses, and of how many of those the child has a
 * copy of its own.
 */
#include "test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 3
#define MASTERS_BYTES ((size_t)64 << 20)
#define CHILDS_BYTES ((size_t)12 << 20)
/* Of a mean of some 460 bytes. */
#define MOST_BLOCKS 400000

static const size_t sizes[] = { 24, 40, 96, 200, 500, 640, 1000, 1200 };

/* A child notes its own elsewhere than its parent. */
static void *masters[MOST_BLOCKS], *childs[MOST_BLOCKS];

/* Blocks of all sizes in turn; then every second one of each size is freed. */
static void take(void **blocks, size_t bytes)
{
	size_t count = 0;

	for (size_t taken = 0; taken < bytes; count++) {
		size_t size = sizes[count % 8];

		CHECK(count < MOST_BLOCKS);
		blocks[count] = malloc(size);
		CHECK(blocks[count] != NULL);
		memset(blocks[count], (int)count, size);
		taken += size;
	}
	for (size_t i = 0; i < count; i++) {
		if (i / 8 % 2)
			free(blocks[i]);
	}
}

static void wait_for_end(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

static pid_t make_child(int ready)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (child)
		return child;
	/* Sixty-four small calls lead a child to memory of its own. */
	for (int i = 0; i < 100; i++)
		free(malloc(100));
	take(childs, CHILDS_BYTES);
	CHECK(write(ready, "r", 1) == 1);
	wait_for_end();
	_exit(0);
}

static void serve(void)
{
	pid_t children[CHILDREN];
	int ready[2];
	char byte;

	CHECK(pipe(ready) == 0);
	take(masters, MASTERS_BYTES);
	for (int i = 0; i < CHILDREN; i++) {
		children[i] = make_child(ready[1]);
		CHECK(read(ready[0], &byte, 1) == 1);
	}
	printf("ready %d %d %d %d\n", (int)getpid(), (int)children[0], (int)children[1], (int)children[2]);
	fflush(stdout);
	wait_for_end();
	for (int i = 0; i < CHILDREN; i++)
		waitpid(children[i], NULL, 0);
}

static int open_of(const char *pid, const char *name)
{
	char path[64];
	int file;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	file = open(path, O_RDONLY);
	CHECK(file >= 0);
	return file;
}

#define PRESENT (UINT64_C(1) << 63)
#define OF_FILE (UINT64_C(1) << 61)
#define EXCLUSIVE (UINT64_C(1) << 56)
#define WORDS 4096

static size_t read_words(int pagemap, uintptr_t page, size_t count, uint64_t words[WORDS])
{
	ssize_t bytes = pread(pagemap, words, count * sizeof(words[0]), (off_t)(page * sizeof(words[0])));

	return bytes > 0 ? (size_t)bytes / sizeof(words[0]) : 0;
}

static void count_range(int parent, int child, uintptr_t page, uintptr_t end, unsigned long totals[2])
{
	static uint64_t of_parent[WORDS], of_child[WORDS];

	while (page < end) {
		size_t count = end - page < WORDS ? end - page : WORDS;

		count = read_words(parent, page, count, of_parent);
		if (count == 0 || read_words(child, page, count, of_child) < count)
			return;
		for (size_t i = 0; i < count; i++) {
			bool is_in_both = of_parent[i] & of_child[i] & PRESENT;

			totals[0] += is_in_both && !(of_child[i] & OF_FILE);
			totals[1] += is_in_both && !(of_child[i] & OF_FILE) && (of_child[i] & EXCLUSIVE);
		}
		page += count;
	}
}

static void count(const char *parent, const char *child)
{
	FILE *maps = fdopen(open_of(parent, "maps"), "r");
	int of_parent = open_of(parent, "pagemap"), of_child = open_of(child, "pagemap");
	unsigned long totals[2] = { 0, 0 };
	char line[8192];

	CHECK(maps != NULL);
	while (fgets(line, sizeof(line), maps)) {
		uintptr_t begin, end;
		char rights[5];

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &begin, &end, rights) == 3 && strcmp(rights, "rw-p") == 0)
			count_range(of_parent, of_child, begin / 4096, end / 4096, totals);
	}
	printf("%lu %lu\n", totals[0], totals[1]);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		serve();
	else if (argc == 4 && strcmp(argv[1], "count") == 0)
		count(argv[2], argv[3]);
	else
		return 2;
	return 0;
}
