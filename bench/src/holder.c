/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * holder MEBIBYTES [RESERVED]: a process of a given size for the report benchmark, with as many mebibytes of address space
 * beside it that it never touches.
 *
 * Fills blocks of 64 KiB to 1 MiB from 32 call stacks until it holds that much,
 * prints "ready" and waits until its standard input is closed. Half of the
 * memory has the same content in each process, so that there is something to report.
 */
#include "bench.h"

#include <sys/mman.h>
#include <unistd.h>

#define PATHS 32u
#define PATH_FRAMES 5u

static BENCH_NOINLINE void fill(char *block, size_t size, uint64_t seed)
{
	uint64_t random_state = seed * 2 + 1;

	for (size_t offset = 0; offset + sizeof(uint64_t) <= size; offset += 512) {
		uint64_t value = bench_random(&random_state);

		memcpy(block + offset, &value, sizeof(value));
	}
}

/* As in capture.c, the path chooses between two calls per frame, so each is another stack. */
static BENCH_NOINLINE void *allocate(unsigned int depth, unsigned int path, size_t size)
{
	void *block;

	if (!depth) {
		block = bench_alloc(size);
	} else if (path & 1) {
		BENCH_OWN_SITE(1);
		block = allocate(depth - 1, path >> 1, size);
		BENCH_OWN_SITE(1);
	} else {
		BENCH_OWN_SITE(2);
		block = allocate(depth - 1, path >> 1, size);
		BENCH_OWN_SITE(2);
	}
	bench_keep(&depth);
	return block;
}

int main(int argc, char **argv)
{
	size_t wanted = bench_argument(argc, argv, 1, 100) << 20;
	size_t reserved = bench_argument(argc, argv, 2, 0) << 20;
	size_t total = 0;
	char byte;

	if (reserved && mmap(NULL, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) ==
				MAP_FAILED)
		return 1;

	for (unsigned int i = 0; total < wanted; i++) {
		size_t size = (size_t)65536 << (i / PATHS % 5);
		char *block = allocate(PATH_FRAMES, i % PATHS, size);

		fill(block, size, i % 2 ? (uint64_t)getpid() << 20 | i : i);
		total += size;
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	return 0;
}
