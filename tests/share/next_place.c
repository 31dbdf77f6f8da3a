/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Passes leave the place where the kernel puts the next mapping as it is: that of a library, say, which has to lie at
 * the same address in a sibling that makes its passes at other moments.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ksmalloc/ksmalloc.h"

#define BLOCKS	    1000
#define BLOCK_BYTES 30000
#define PASSES	    3
#define PAGE	    4096
#define SIZES	    14 /* each twice as large as the one before: some fit between two mappings, others do not */

/* Past the library, which has places of its own for the program's mappings. */
static void find_next_places(void *places[SIZES])
{
	for (int i = 0; i < SIZES; i++) {
		size_t length = (size_t)PAGE << i;

		places[i] = (void *)syscall(SYS_mmap, NULL, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		munmap(places[i], length);
	}
}

int main(void)
{
	void *before[SIZES], *after[SIZES];
	bool same = true;

	for (int i = 0; i < BLOCKS; i++) {
		unsigned char *block = malloc(BLOCK_BYTES);

		if (!block)
			return 1;
		memset(block, i % 255 + 1, BLOCK_BYTES);
	}
	find_next_places(before);
	for (int i = 0; i < PASSES; i++) {
		long gained = ksmalloc_share();

		if (gained < 0) {
			printf("a pass: %s\n", strerror((int)-gained));
			return 1;
		}
	}
	find_next_places(after);
	for (int i = 0; i < SIZES; i++) {
		if (after[i] != before[i])
			printf("%d pages: at %p, and then at %p\n", 1 << i, before[i], after[i]);
		same &= after[i] == before[i];
	}
	return !same;
}
