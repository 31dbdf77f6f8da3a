/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker whose memory is not saved for one reason, which is known: tests/report/why asks for it.
 *
 * Usage: why_worker REASON NUMBER
 * Workers of one reason have different numbers. Each holds 8 MiB, says "ready", and goes on until its input ends.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define BLOCK (1 << 20)
#define BLOCKS 8
#define HUGE_BYTES (2 << 20)
#define SHIFT 48

static unsigned char *blocks[BLOCKS];

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void fill_random(void *memory, size_t bytes, uint64_t seed)
{
	uint64_t *words = memory;

	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = next_random(&seed);
}

/* All of one site: one line allocates. */
static void take_blocks(void)
{
	for (size_t i = 0; i < BLOCKS; i++)
		blocks[i] = malloc(BLOCK);
}

static void drop_blocks(void)
{
	for (size_t i = 0; i < BLOCKS; i++)
		free(blocks[i]);
}

static void fill_equal(void)
{
	for (size_t i = 0; i < BLOCKS; i++)
		fill_random(blocks[i], BLOCK, 77 + i);
}

/* One stream of bytes, with some more before it in one of the workers. */
static void fill_shifted(uint64_t number)
{
	size_t begin = (size_t)number * SHIFT;

	for (size_t i = 0; i < BLOCKS; i++) {
		fill_random(blocks[i] + begin, BLOCK - begin, 77 + i);
		fill_random(blocks[i], begin, 1000 * number + 5);
	}
}

/* Each node points to the next one, of this process's own addresses. */
static void fill_pointers(void)
{
	for (size_t i = 0; i < BLOCKS; i++) {
		for (size_t at = 0; at + 64 <= BLOCK; at += 64) {
			void *next = blocks[i] + (at + 64) % BLOCK;

			fill_random(blocks[i] + at, 64, 77 + i + at);
			memcpy(blocks[i] + at + 8, &next, sizeof(next));
			memcpy(blocks[i] + at + 24, &next, sizeof(next));
		}
	}
}

/* A process id and a time in each page that is equal but for these. */
static void fill_words(void)
{
	struct timespec now;
	uint64_t pid = (uint64_t)getpid();
	uint64_t ns;

	clock_gettime(CLOCK_REALTIME, &now);
	ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	fill_equal();
	for (size_t i = 0; i < BLOCKS; i++) {
		for (size_t at = 0; at < BLOCK; at += PAGE) {
			memcpy(blocks[i] + at + 128, &pid, sizeof(pid));
			memcpy(blocks[i] + at + 1024, &ns, sizeof(ns));
		}
	}
}

static void write_again(void)
{
	static uint64_t count;

	count++;
	for (size_t i = 0; i < BLOCKS; i++) {
		for (size_t at = 0; at < BLOCK; at += PAGE)
			memcpy(blocks[i] + at + 256, &count, sizeof(count));
	}
}

static void take_anew(void)
{
	drop_blocks();
	take_blocks();
	fill_equal();
}

/* Memory of the program's own, equal everywhere. */
static void map_equal(int advice)
{
	size_t bytes = (size_t)BLOCK * BLOCKS;
	unsigned char *memory = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *aligned = (unsigned char *)(((uintptr_t)memory + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1));

	if (memory == MAP_FAILED)
		exit(1);
	if (advice) {
		madvise(aligned, bytes, MADV_MERGEABLE);
		madvise(aligned, bytes, advice);
	}
	fill_random(aligned, bytes, 99);
}

/* Six places of their own, each far smaller than the blocks, and equal in all workers. */
#define SMALL_PLACE(name)                                                                          \
	static __attribute__((noinline)) void small_##name(void)                                   \
	{                                                                                          \
		for (uint64_t i = 0; i < 4; i++) {                                                 \
			unsigned char *block = malloc(SMALL_BLOCK);                                \
                                                                                                   \
			if (block)                                                                 \
				fill_random(block, SMALL_BLOCK, __LINE__ * 10 + i);                \
		}                                                                                  \
	}
#define SMALL_BLOCK (80 << 10)

SMALL_PLACE(one)
SMALL_PLACE(two)
SMALL_PLACE(three)
SMALL_PLACE(four)
SMALL_PLACE(five)
SMALL_PLACE(six)

static void take_small(void)
{
	small_one();
	small_two();
	small_three();
	small_four();
	small_five();
	small_six();
}

/* Places of their own, equal in all workers, but for the process's id in each page where that is asked for. */
#define TURN_PLACE(name, count, has_id)                                                            \
	static __attribute__((noinline)) void turn_##name(void)                                    \
	{                                                                                          \
		uint64_t pid = (uint64_t)getpid();                                                 \
                                                                                                   \
		for (uint64_t i = 0; i < (count); i++) {                                           \
			unsigned char *block = malloc(BLOCK);                                      \
                                                                                                   \
			if (!block)                                                                \
				return;                                                            \
			fill_random(block, BLOCK, __LINE__ * 10 + i);                              \
			for (size_t at = 128; (has_id) && at < BLOCK; at += PAGE)                  \
				memcpy(block + at, &pid, sizeof(pid));                             \
		}                                                                                  \
	}

TURN_PLACE(first, 6, false)
TURN_PLACE(second, 4, true)
TURN_PLACE(third, 2, false)

static void fill(const char *reason, uint64_t number)
{
	if (strcmp(reason, "turns") == 0) {
		turn_first();
		turn_second();
		turn_third();
		return;
	}
	if (strcmp(reason, "places") == 0)
		take_small();
	if (strcmp(reason, "not_mergeable") == 0 || strcmp(reason, "huge_pages") == 0) {
		map_equal(strcmp(reason, "huge_pages") == 0 ? MADV_HUGEPAGE : 0);
		return;
	}
	take_blocks();
	if (strcmp(reason, "unique") == 0)
		fill_random(blocks[0], BLOCK, number + 1);
	for (size_t i = 1; strcmp(reason, "unique") == 0 && i < BLOCKS; i++)
		fill_random(blocks[i], BLOCK, 1000 * (number + 1) + i);
	if (strcmp(reason, "shifted") == 0)
		fill_shifted(number);
	else if (strcmp(reason, "pointers") == 0)
		fill_pointers();
	else if (strcmp(reason, "words") == 0)
		fill_words();
	else if (strcmp(reason, "unique") != 0)
		fill_equal();
}

int main(int argc, char **argv)
{
	struct pollfd input = {.fd = 0, .events = POLLIN};
	const char *reason = argc == 3 ? argv[1] : "";
	bool works = strcmp(reason, "rewritten") == 0 || strcmp(reason, "short_lived") == 0;

	if (argc != 3) {
		fprintf(stderr, "usage: why_worker REASON NUMBER\n");
		return 2;
	}
	fill(reason, strtoull(argv[2], NULL, 10));
	printf("ready\n");
	fflush(stdout);
	while (poll(&input, 1, works ? 50 : -1) == 0) {
		if (strcmp(reason, "rewritten") == 0)
			write_again();
		else
			take_anew();
	}
	return 0;
}
