/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two arenas with the same content in every process that runs this, one of them private, both grown in steps and shrunk
 * again. Prints where they are, and waits for the end of its input.
 */
#include <ksmalloc/ksmalloc.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE 4096u
#define PAGES 2048u

static uint64_t *make(const char *label, unsigned int flags)
{
	void *arena;
	uint64_t *words;

	if (ksmalloc_arena_reserve(label, (size_t)64 << 20, flags, &arena) != 0)
		exit(2);
	words = arena;
	for (size_t pages = 1; pages <= 2 * PAGES; pages *= 2) {
		if (ksmalloc_arena_resize(arena, pages * PAGE) != 0)
			exit(3);
	}
	if (ksmalloc_arena_resize(arena, (size_t)PAGES * PAGE) != 0)
		exit(4);
	/* No two pages of an arena are equal, nor are those of the two. */
	for (size_t i = 0; i < (size_t)PAGES * PAGE / sizeof(uint64_t); i++)
		words[i] = i * 2 + 1 + flags;
	return words;
}

int main(void)
{
	printf("%p", (void *)make("equal", 0));
	printf(" %p %u\n", (void *)make("equal", KSMALLOC_ARENA_PRIVATE), PAGES * PAGE);
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	return 0;
}
