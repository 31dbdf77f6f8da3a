/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * word LIBRARY: has Lua loaded, and a word on the stack that leads to the end of a block's page, behind which there was memory when it
 * was first asked whose memory this is, and is none the next time.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE 4096u
#define BYTES (2 * PAGE)

/* The end of the mapping that the block lies in. */
static uintptr_t end_of_mapping(const void *block)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	uintptr_t begin, end, found = 0;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &begin, &end) == 2 && (uintptr_t)block >= begin && (uintptr_t)block < end)
			found = end;
	}
	if (maps)
		fclose(maps);
	return found;
}

/* A mapping of our own asks whose it is, while the word stands on the stack. */
static __attribute__((noinline)) int ask(uintptr_t word)
{
	volatile uintptr_t words[8];
	void *memory;

	for (int i = 0; i < 8; i++)
		words[i] = word;
	memory = mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(memory, 256 * PAGE);
	return words[3] == word;
}

int main(int argc, char **argv)
{
	void *behind = MAP_FAILED;

	if (argc != 2 || !dlopen(argv[1], RTLD_NOW)) {
		fprintf(stderr, "%s\n", argc == 2 ? dlerror() : "word LIBRARY");
		return 77;
	}
	for (int i = 0; i < 4000 && behind == MAP_FAILED; i++) {
		char *block = malloc(BYTES);
		uintptr_t end = end_of_mapping(block);

		behind = end - (uintptr_t)block <= BYTES ? mmap((void *)end, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) :
							   MAP_FAILED;
	}
	if (behind == MAP_FAILED) {
		fputs("no mapping has room behind it\n", stderr);
		return 77;
	}
	if (!ask((uintptr_t)behind - sizeof(uintptr_t)))
		return 1;
	munmap(behind, PAGE);
	if (!ask((uintptr_t)behind - sizeof(uintptr_t)))
		return 1;
	puts("goes on");
	return 0;
}
