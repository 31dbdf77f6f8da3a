/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arenas BEFORE [backwards|again]: where labelled arenas lie, after BEFORE allocations of every kind; reserved in the opposite
 * order, or after the same and some others have come and gone. In a child that allocates, too: those that it reserves itself.
 */
#include <ksmalloc/ksmalloc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define GIB ((size_t)1 << 30)

static const struct {
	const char *label;
	size_t bytes;
} wanted[] = {
	{ "young", 64 << 20 }, { "young", 64 << 20 }, { "old", 40 * GIB }, { "code", 1 << 20 }, { "large objects", 2 * GIB },
};

#define COUNT (sizeof(wanted) / sizeof(wanted[0]))

static void allocate(int before)
{
	for (int i = 0; i < before; i++) {
		char label[32];

		snprintf(label, sizeof(label), "before %d", i);
		ksmalloc_label_begin(label);
		for (int k = 0; k < 8; k++)
			memset(malloc((size_t)20000 * (size_t)(1 + k + i % 5)), 1, 1000);
		ksmalloc_label_end();
		if (mmap(NULL, (size_t)(1 + i) << 16, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
			exit(2);
	}
}

static void reserve(void **arenas, int backwards)
{
	for (size_t i = 0; i < COUNT; i++) {
		/* Those of one label are told apart by their order. */
		size_t at = backwards ? (i + 2) % COUNT : i;

		if (ksmalloc_arena_reserve(wanted[at].label, wanted[at].bytes, 0, &arenas[at]) != 0 ||
		    ksmalloc_arena_resize(arenas[at], 100000) != 0)
			exit(3);
		memset(arenas[at], 1, 100000);
	}
}

static void print(void **arenas)
{
	for (size_t i = 0; i < COUNT; i++)
		printf("%s %p\n", wanted[i].label, arenas[i]);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *how = argc > 2 ? argv[2] : "";
	void *arenas[COUNT];

	allocate(argc > 1 ? atoi(argv[1]) : 0);
	if (strcmp(how, "again") == 0) {
		reserve(arenas, 1);
		for (size_t i = 0; i < COUNT; i++)
			ksmalloc_arena_release(arenas[i]);
	}
	reserve(arenas, strcmp(how, "backwards") == 0);
	print(arenas);
	if (fork() == 0) {
		allocate(argc > 1 ? atoi(argv[1]) : 0);
		reserve(arenas, strcmp(how, "backwards") == 0);
		print(arenas);
		return 0;
	}
	wait(NULL);
	return 0;
}
