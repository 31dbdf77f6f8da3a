/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Holds memory that is known exactly, and prints how much each function has of it: blocks of equal and of different
 * sizes, allocated in turns, some of which are freed again; blocks that were realloc'ed; large blocks of one site; mappings.
 * A number as argument has it allocate so much before that other blocks are samples.
 */
#include <ksmalloc/ksmalloc.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* It is preloaded, or not there. */
#pragma weak ksmalloc_frame_callback

#define SMALL 300000
#define LARGE 2000

#define KEPT_FRAME __attribute__((noinline, noclone))

static void *use(void *block, size_t size)
{
	if (!block)
		abort();
	memset(block, 1, size);
	return block;
}

#define MAKER(name, call) \
	KEPT_FRAME static void *name(void *old, size_t size) \
	{ \
		void *block = use(call, size); \
\
		(void)old; \
		__asm__ volatile("" ::: "memory"); \
		return block; \
	}

MAKER(keeps, malloc(size))
MAKER(keeps_as_well, calloc(1, size))
MAKER(keeps_longer, malloc(size))
MAKER(drops, malloc(size))
MAKER(grows, realloc(old, size))
MAKER(makes_large, malloc(size))
MAKER(maps, mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))

KEPT_FRAME static void commits(char *memory, size_t size)
{
	if (mprotect(memory, size, PROT_READ | PROT_WRITE))
		abort();
	memset(memory, 1, size);
	__asm__ volatile("" ::: "memory");
}

/* Large blocks of one call stack, and so of one site, which two functions of a script ask for. */
static const char *volatile executing;

static int tell(void *context, unsigned int depth, struct ksmalloc_frame *frame)
{
	(void)context;
	*frame = (struct ksmalloc_frame){"truth.script", executing, 1};
	return depth > 0 || !executing;
}

KEPT_FRAME static void run_script(void)
{
	static const struct {
		const char *name;
		size_t size;
	} volatile functions[] = {{"keeps_large", 20480}, {"keeps_larger", 28672}};

	for (size_t i = 0; i < LARGE; i++) {
		for (volatile size_t which = 0; which < 2; which++) {
			executing = functions[which].name;
			makes_large(NULL, functions[which].size);
		}
	}
	executing = NULL;
}

static void *blocks[5][SMALL];

int main(int count, char **arguments)
{
	size_t kept = 0, as_well = 0, longer = 0, grown = 0;
	unsigned long before = count > 1 ? strtoul(arguments[1], NULL, 10) : 0;
	char *reserved;

	for (unsigned long i = 0; i < before; i++)
		drops(NULL, 1000);
	for (size_t i = 0; i < SMALL; i++) {
		kept += malloc_usable_size(blocks[0][i] = keeps(NULL, 64));
		blocks[1][i] = drops(NULL, 64);
		as_well += malloc_usable_size(blocks[2][i] = keeps_as_well(NULL, 48 + i % 100));
		if (i % 20 == 0)
			longer += malloc_usable_size(blocks[3][i] = keeps_longer(NULL, 2000));
		if (i % 4 == 0)
			blocks[4][i] = grows(grows(NULL, 100), 300);
		if (i % 4 == 0)
			grown += malloc_usable_size(blocks[4][i]);
	}
	for (size_t i = 0; i < SMALL; i++)
		free(blocks[1][i]);
	if (ksmalloc_frame_callback && ksmalloc_frame_callback(tell, NULL))
		abort();
	run_script();
	maps(NULL, 8 << 20);
	reserved = mmap(NULL, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (reserved == MAP_FAILED)
		abort();
	commits(reserved + (16 << 20), 4 << 20);
	printf("truth %zu keeps\ntruth 0 drops\ntruth %zu keeps_as_well\ntruth %zu keeps_longer\ntruth %zu grows\n", kept,
	       as_well, longer, grown);
	printf("truth %d keeps_large\ntruth %d keeps_larger\ntruth %d maps\ntruth %d commits\nready\n", LARGE * 20480,
	       LARGE * 28672, 8 << 20, 4 << 20);
	fflush(stdout);
	return getchar() == EOF;
}
