/* SPDX-License-Identifier: BSD-2-Clause */
#include "gap.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define ARENA 4080u /* PERL_ARENA_SIZE, of which most kinds of arenas are as large */
#define PAGE 4096u
#define EVEN 65536u
#define MOST (2 * EVEN / PAGE) /* blocks that are taken, those among them that were used before */

/* No block at or above this one was seen; malloc's are used upwards. */
static uintptr_t fresh;

void ksp_gap_take(void)
{
	void *used[MOST];
	size_t used_count = 0;
	uintptr_t at = 0;

	for (size_t i = 0; i < MOST && (at + PAGE) % EVEN != 0; i++) {
		void *block = malloc(ARENA);

		if (!block)
			break;
		at = 0;
		if ((uintptr_t)block < fresh) {
			used[used_count++] = block;
		} else {
			at = (uintptr_t)block;
			fresh = at + PAGE;
		}
	}
	while (used_count > 0)
		free(used[--used_count]);
}

void ksp_gap_moved(void)
{
	fresh = 0;
}
