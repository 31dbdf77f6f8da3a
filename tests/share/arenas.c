/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arenas SECONDS OWN: does with labelled arenas what runtimes do, at random, and checks each page against what it should be,
 * while passes are made all the time: between its calls, and from a signal handler that interrupts them anywhere. What it
 * does is equal in all workers but for one operation in so many (OWN). Private arenas must never lie in a file of the store.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ksmalloc/ksmalloc.h"
#include "stress_loop.h"

#define ARENAS	24u
#define LABELS	10u
#define MOST	1500u /* pages of an arena */
#define PAGE	4096u
#define WORDS	(PAGE / sizeof(uint64_t))

struct arena {
	unsigned char *bytes; /* NULL: there is none */
	uint32_t reserved, pages;
	uint64_t keys[MOST]; /* of each page; 0: it is zero */
};

static struct arena arenas[ARENAS];

static bool is_private(const struct arena *arena)
{
	return (arena - arenas) % 6 == 5;
}

static uint64_t *words_of(const struct arena *arena, uint32_t page)
{
	return (uint64_t *)(void *)(arena->bytes + (size_t)page * PAGE);
}

static uint64_t word_of(uint64_t key, uint32_t at)
{
	return key ? key + at / 8 : 0;
}

static void fail(const struct arena *arena, const char *what, long number)
{
	printf("arena %td at %p: %s, %ld\n", arena - arenas, (void *)arena->bytes, what, number);
	fflush(stdout);
	abort();
}

static void check(const struct arena *arena, const char *when)
{
	for (uint32_t i = 0; i < arena->pages; i++) {
		for (uint32_t at = 0; at < WORDS; at++) {
			if (words_of(arena, i)[at] != word_of(arena->keys[i], at))
				fail(arena, when, i);
		}
	}
}

static void check_all(const char *when)
{
	for (uint32_t i = 0; i < ARENAS; i++)
		check(&arenas[i], when);
}

/* Few keys, so that much of it is equal to what the store has again. */
static void fill(struct arena *arena, uint32_t begin, uint32_t end)
{
	for (uint32_t i = begin; i < end; i++) {
		arena->keys[i] = (uint64_t)(arena - arenas) * MOST * 8 + i * 8 + 1 + stress_draw(64) / 62;
		for (uint32_t at = 0; at < WORDS; at++)
			words_of(arena, i)[at] = word_of(arena->keys[i], at);
	}
}

static void resize(struct arena *arena, uint32_t pages)
{
	int error = ksmalloc_arena_resize(arena->bytes, (size_t)pages * PAGE);

	if (error)
		fail(arena, "resize", error);
	for (uint32_t i = arena->pages; i < pages; i++)
		arena->keys[i] = 0;
	arena->pages = pages;
	check(arena, "resized");
}

static void reserve(struct arena *arena)
{
	char label[32];
	int error;

	snprintf(label, sizeof(label), "label %u", (uint32_t)(arena - arenas) % LABELS);
	arena->reserved = 1 + stress_draw(MOST);
	error = ksmalloc_arena_reserve(label, (size_t)arena->reserved * PAGE,
				       is_private(arena) ? KSMALLOC_ARENA_PRIVATE : 0, (void **)&arena->bytes);
	if (error)
		fail(arena, "reserve", error);
	resize(arena, stress_draw(arena->reserved + 1));
	fill(arena, 0, arena->pages);
}

static void release(struct arena *arena)
{
	int error = ksmalloc_arena_release(arena->bytes);

	if (error)
		fail(arena, "release", error);
	arena->bytes = NULL;
	arena->pages = 0;
}

/* What a collector does that gives back holes in the midst. */
static void make_hole(struct arena *arena)
{
	uint32_t begin = stress_draw(arena->pages), end = begin + 1 + stress_draw(arena->pages - begin);

	if (madvise(words_of(arena, begin), (size_t)(end - begin) * PAGE, MADV_DONTNEED) != 0)
		fail(arena, "madvise", begin);
	memset(&arena->keys[begin], 0, (end - begin) * sizeof(arena->keys[0]));
}

static void operate(struct arena *arena)
{
	uint32_t begin;

	if (!arena->bytes) {
		reserve(arena);
		return;
	}
	switch (stress_draw(12)) {
	case 0:
		check(arena, "to be released");
		release(arena);
		break;
	case 1:
	case 2:
		resize(arena, stress_draw(arena->reserved + 1));
		break;
	case 3:
		ksmalloc_arena_set_live(arena->bytes, stress_draw(arena->reserved * PAGE));
		break;
	case 4:
		if (arena->pages)
			make_hole(arena);
		break;
	case 5:
	case 6:
		begin = arena->pages ? stress_draw(arena->pages) : 0;
		fill(arena, begin, arena->pages);
		break;
	default:
		check(arena, "as it lay there");
	}
}

/* No private page is one of the store's, whoever has made passes. */
static void check_private(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned long begin, end;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		if (!strstr(line, "ksmalloc-store") || sscanf(line, "%lx-%lx", &begin, &end) != 2)
			continue;
		for (uint32_t i = 0; i < ARENAS; i++) {
			uintptr_t first = (uintptr_t)arenas[i].bytes;

			if (first && is_private(&arenas[i]) && begin < first + (uintptr_t)arenas[i].pages * PAGE && end > first)
				fail(&arenas[i], "private, and shared", 0);
		}
	}
	if (file)
		fclose(file);
}

static void fork_once(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		check_all("after fork");
		for (int i = 0; i < 40; i++) {
			operate(&arenas[stress_draw(ARENAS)]);
			if (i % 20 == 19)
				stress_pass(0);
		}
		check_all("at a child's end");
		_exit(0);
	}
	if (waitpid(child, &status, 0) == child && status)
		abort();
	check_all("after a child");
	check_private();
}

static void operate_any(void)
{
	operate(&arenas[stress_draw(ARENAS)]);
}

static void fill_any(void)
{
	struct arena *arena = &arenas[stress_draw(ARENAS)];

	fill(arena, 0, arena->pages);
}

int main(int argc, char **argv)
{
	const struct stress_loop loop = { operate_any, fill_any, fork_once, check_all, 20, 100, 400 };

	return stress_run(&loop, argc, argv);
}
