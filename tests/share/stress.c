/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stress SECONDS OWN: allocates, writes, frees and gives back at random, and checks each byte against what was written,
 * while passes are made all the time: between its calls, and from a signal handler that interrupts them anywhere. What it does
 * is equal in all workers but for one operation in so many (OWN), so that there is much to share and to part again.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress_loop.h"

#define BLOCKS 700u
#define PAGE 4096u

struct block {
	unsigned char *bytes;
	size_t size;
	uint32_t version;
	size_t zero_begin; /* given back, and zeros since */
	size_t zero_end;
};

static struct block blocks[BLOCKS];

static unsigned char byte_of(const struct block *block, size_t at)
{
	if (at >= block->zero_begin && at < block->zero_end)
		return 0;
	return (unsigned char)((block - blocks) * 31 + block->version * 7 + at / 64 + 1);
}

static void complain(const struct block *block, size_t at, const char *when)
{
	printf("block %td of %zu bytes, version %u: byte %zu is %u, not %u, %s\n", block - blocks, block->size,
	       block->version, at, block->bytes[at], byte_of(block, at), when);
	fflush(stdout);
	abort();
}

static void check(const struct block *block, size_t bytes, const char *when)
{
	for (size_t i = 0; i < bytes; i++) {
		if (block->bytes[i] != byte_of(block, i))
			complain(block, i, when);
	}
	stress_checked += bytes;
}

static void fill(struct block *block)
{
	block->zero_begin = block->zero_end = 0;
	for (size_t i = 0; i < block->size; i++)
		block->bytes[i] = byte_of(block, i);
}

static size_t draw_size(void)
{
	switch (stress_draw(8)) {
	case 0:
		return 16384 + stress_draw(200000);
	case 1:
		return 2000 + stress_draw(14000);
	default:
		return 1 + stress_draw(1000);
	}
}

static void take(struct block *block)
{
	block->size = draw_size();
	if (stress_draw(3) == 0) {
		block->bytes = calloc(1, block->size);
		block->zero_begin = 0;
		block->zero_end = block->size;
		check(block, block->size, "out of calloc");
	} else if (stress_draw(8) == 0) {
		block->size = (1 + stress_draw(60)) * PAGE;
		block->bytes = aligned_alloc(PAGE, block->size);
	} else {
		block->bytes = malloc(block->size);
	}
	fill(block);
}

static void let_go(struct block *block)
{
	check(block, block->size, "before free");
	free(block->bytes);
	block->bytes = NULL;
	block->zero_begin = block->zero_end = 0;
}

static void resize(struct block *block)
{
	size_t before = block->size;

	block->size = draw_size();
	block->bytes = realloc(block->bytes, block->size);
	check(block, before < block->size ? before : block->size, "after realloc");
	fill(block);
}

/* Whole pages of a block, if it has some. */
static void give_back(struct block *block)
{
	size_t begin = -(uintptr_t)block->bytes % PAGE;
	size_t pages = block->size > begin ? (block->size - begin) / PAGE : 0;

	if (pages < 2 || block->zero_end)
		return;
	begin += stress_draw((uint32_t)pages) * PAGE;
	block->zero_begin = begin;
	block->zero_end = begin + (1 + stress_draw((uint32_t)((block->size - begin) / PAGE))) * PAGE;
	if (block->zero_end > block->size || madvise(block->bytes + begin, block->zero_end - begin, MADV_DONTNEED))
		block->zero_begin = block->zero_end = 0;
	check(block, block->size, "after madvise");
}

static void operate(struct block *block)
{
	if (!block->bytes) {
		take(block);
		return;
	}
	switch (stress_draw(8)) {
	case 0:
		let_go(block);
		break;
	case 1:
		resize(block);
		break;
	case 2:
		give_back(block);
		break;
	case 3:
		block->version ^= 1;
		fill(block);
		break;
	default:
		check(block, block->size, "as it lay there");
	}
}

static void check_all(const char *when)
{
	for (uint32_t i = 0; i < BLOCKS; i++) {
		if (blocks[i].bytes)
			check(&blocks[i], blocks[i].size, when);
	}
}

static void fork_once(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		for (int i = 0; i < 200; i++)
			operate(&blocks[stress_draw(BLOCKS)]);
		check_all("in a child");
		_exit(0);
	}
	if (waitpid(child, &status, 0) == child && status)
		abort();
}

static void operate_any(void)
{
	operate(&blocks[stress_draw(BLOCKS)]);
}

static void operate_alone(void)
{
	operate(&blocks[stress_draw(BLOCKS / 10)]);
}

int main(int argc, char **argv)
{
	static const struct stress_loop loop = {
		operate_any, operate_alone, fork_once, check_all,
		.per_alarm = 50, .per_pass = 500, .per_fork = 5000,
	};

	return stress_run(&loop, argc, argv);
}
