/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guards KIND: with memory that is equal in all such workers, of malloc (block) or of its own (mapping). For each line on its standard
 * input: "share" makes a pass and says what that gained; "guard FIRST STEP" has the kernel guard each STEP-th page from the FIRST one on
 * (MADV_GUARD_INSTALL), after which the page cannot be touched, and "open" ends that, after which it is zeros; both say 0, or 77
 * where the kernel has no guards; "check" says how many pages are not what they should be.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ksmalloc/ksmalloc.h"

#define PAGE  4096u
#define PAGES 1024u

#define GUARD_INSTALL 102 /* Linux 6.13 */
#define GUARD_REMOVE  103

enum state { FILLED, GUARDED, ZERO };

static unsigned char *memory;
static enum state states[PAGES];
static int ends[2];

static unsigned char byte_of(uint32_t page, uint32_t at)
{
	return (unsigned char)(at + page * 7 + 1);
}

static unsigned char *page_at(uint32_t page)
{
	return memory + (size_t)page * PAGE;
}

/* The kernel says EFAULT where a fault would end the program. */
static bool can_be_read(uint32_t page)
{
	char byte;

	return write(ends[1], page_at(page), 1) == 1 && read(ends[0], &byte, 1) == 1;
}

static bool is_right(uint32_t page)
{
	if (!can_be_read(page) || states[page] == GUARDED)
		return !can_be_read(page) && states[page] == GUARDED;
	for (uint32_t at = 0; at < PAGE; at++) {
		if (page_at(page)[at] != (states[page] == ZERO ? 0 : byte_of(page, at)))
			return false;
	}
	return true;
}

static int guard(uint32_t first, uint32_t step)
{
	for (uint32_t page = first; page < PAGES; page += step) {
		if (madvise(page_at(page), PAGE, GUARD_INSTALL))
			return errno == EINVAL ? 77 : errno;
		states[page] = GUARDED;
	}
	return 0;
}

static int open_all(void)
{
	for (uint32_t page = 0; page < PAGES; page++) {
		if (states[page] != GUARDED)
			continue;
		if (madvise(page_at(page), PAGE, GUARD_REMOVE))
			return errno;
		states[page] = ZERO;
	}
	return 0;
}

static int count_wrong(void)
{
	int wrong = 0;

	for (uint32_t page = 0; page < PAGES; page++)
		wrong += !is_right(page);
	return wrong;
}

static long obey(const char *line)
{
	unsigned int first, step;

	if (sscanf(line, "guard %u %u", &first, &step) == 2)
		return guard(first, step);
	if (strncmp(line, "open", 4) == 0)
		return open_all();
	return strncmp(line, "check", 5) == 0 ? count_wrong() : ksmalloc_share();
}

int main(int argc, char **argv)
{
	char line[64];

	if (argc < 2 || pipe(ends))
		return 1;
	if (strcmp(argv[1], "block") == 0)
		memory = aligned_alloc(PAGE, (size_t)PAGES * PAGE);
	else
		memory = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!memory || memory == MAP_FAILED)
		return 1;
	for (uint32_t page = 0; page < PAGES; page++) {
		for (uint32_t at = 0; at < PAGE; at++)
			page_at(page)[at] = byte_of(page, at);
	}
	while (fgets(line, sizeof(line), stdin)) {
		printf("%ld\n", obey(line));
		fflush(stdout);
	}
	return 0;
}
