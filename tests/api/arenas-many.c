/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thousand arenas are apart, and have their places again after they were given back in another order; large ones are
 * whole; where there is no address space left, or none is allowed, an arena is refused, and nothing else.
 */
#include "test.h"

#include <sys/mman.h>

#define COUNT 1000
#define GIB ((size_t)1 << 30)
#define MOST 8192

static void *arenas[MOST];
static void *again[COUNT];

static void name_of(int i, char *name)
{
	sprintf(name, "arena %d", i % 700);
}

static int compare(const void *left, const void *right)
{
	uintptr_t a = *(const uintptr_t *)left, b = *(const uintptr_t *)right;

	return (a > b) - (a < b);
}

static void reserve_all(void **list)
{
	char name[32];

	for (int i = 0; i < COUNT; i++) {
		name_of(i, name);
		CHECK(ksmalloc_arena_reserve(name, 16 * TEST_MIB, 0, &list[i]) == 0);
		CHECK(ksmalloc_arena_resize(list[i], TEST_PAGE * (size_t)(1 + i % 3)) == 0);
		*(int *)list[i] = i;
	}
}

static void a_thousand(void)
{
	static void *sorted[COUNT];

	reserve_all(arenas);
	for (int i = 0; i < COUNT; i++)
		CHECK(*(int *)arenas[i] == i);
	memcpy(sorted, arenas, sizeof(sorted));
	qsort(sorted, COUNT, sizeof(sorted[0]), compare);
	for (int i = 1; i < COUNT; i++)
		CHECK((uintptr_t)sorted[i] - (uintptr_t)sorted[i - 1] > 16 * TEST_MIB);
	for (int i = 0; i < COUNT; i++)
		CHECK(ksmalloc_arena_release(arenas[i * 7 % COUNT]) == 0);
	reserve_all(again);
	for (int i = 0; i < COUNT; i++) {
		CHECK(again[i] == arenas[i]);
		CHECK(ksmalloc_arena_release(again[i]) == 0);
	}
}

/* Blocks get their slots as before where arenas have been and are. */
static void beside_blocks(void)
{
	void *blocks[64];

	test_alloc_many(blocks, 64, TEST_MIB);
	CHECK(test_is_placed(blocks[63]));
	test_free_many(blocks, 64);
}

static void large(void)
{
	char *arena;
	void *other;

	CHECK(ksmalloc_arena_reserve("large", 40 * GIB, 0, (void **)&arena) == 0);
	CHECK(ksmalloc_arena_reserve("large", 40 * GIB, 0, &other) == 0);
	CHECK(arena + 40 * GIB <= (char *)other || (char *)other + 40 * GIB <= arena);
	CHECK(ksmalloc_arena_resize(arena, 5 * GIB / 2) == 0);
	arena[5 * GIB / 2 - 1] = 7;
	CHECK(test_vma_of(arena).end - (uintptr_t)arena == 5 * GIB / 2);
	CHECK(ksmalloc_arena_resize(arena, 3 * GIB / 2) == 0);
	CHECK(ksmalloc_arena_resize(arena, 5 * GIB / 2) == 0);
	CHECK(arena[5 * GIB / 2 - 1] == 0);
	CHECK(test_site_of(arena + 2 * GIB) == test_site_of(arena));
	CHECK(test_stats_of(test_site_of(arena)).slot_bytes == 5 * GIB / 2);
	CHECK(ksmalloc_arena_release(arena) == 0);
	CHECK(ksmalloc_arena_release(other) == 0);
}

static void exhausted(void)
{
	size_t count = 0;
	int error = 0;
	char *block;

	while (count < MOST && (error = ksmalloc_arena_reserve("all", GIB / 2, 0, &arenas[count])) == 0)
		count++;
	CHECK_MSG(error == -ENOMEM && count > 4000, "%zu arenas, %d", count, error);
	block = malloc(2 * TEST_MIB);
	CHECK(block != NULL);
	memset(block, 1, 2 * TEST_MIB);
	free(block);
	while (count > 0)
		CHECK(ksmalloc_arena_release(arenas[--count]) == 0);
	CHECK(ksmalloc_arena_reserve("all", 900 * GIB, 0, &arenas[0]) == 0);
	CHECK(ksmalloc_arena_release(arenas[0]) == 0);
}

/* The kernel refuses more memory than the machine has, unless it was told to refuse nothing. */
static bool is_refused_by_kernel(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return true;
	munmap(memory, bytes);
	return false;
}

static void refused(void)
{
	char *arena;

	CHECK(ksmalloc_arena_reserve("refused", 900 * GIB, 0, (void **)&arena) == 0);
	CHECK(ksmalloc_arena_resize(arena, TEST_PAGE) == 0);
	arena[0] = 7;
	if (is_refused_by_kernel(900 * GIB - TEST_PAGE))
		CHECK(ksmalloc_arena_resize(arena, 900 * GIB) == -ENOMEM);
	/* It is what it was: whole, and it grows as far as it may. */
	CHECK(arena[0] == 7);
	CHECK(test_vma_of(arena + TEST_PAGE).end - (uintptr_t)arena == 900 * GIB);
	CHECK(ksmalloc_arena_resize(arena, TEST_MIB) == 0);
	CHECK(test_is_zero(arena + TEST_PAGE, TEST_MIB - TEST_PAGE));
	CHECK(test_vma_of(arena).end - (uintptr_t)arena == TEST_MIB);
	CHECK(ksmalloc_arena_release(arena) == 0);
}

static void limited(void)
{
	char *arena;
	void *other;

	CHECK(ksmalloc_arena_reserve("limited", GIB, 0, (void **)&arena) == 0);
	test_limit_memory(256 * TEST_MIB);
	CHECK(ksmalloc_arena_reserve("limited", GIB, 0, &other) == -ENOMEM);
	/* What was reserved counts already. */
	CHECK(ksmalloc_arena_resize(arena, GIB) == 0);
	CHECK(ksmalloc_arena_release(arena) == 0);
	CHECK(ksmalloc_arena_reserve("limited", GIB, 0, &other) == 0);
	CHECK(other == (void *)arena);
}

int main(void)
{
	a_thousand();
	beside_blocks();
	large();
	exhausted();
	beside_blocks();
	refused();
	limited();
	return 0;
}
