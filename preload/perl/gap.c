/* SPDX-License-Identifier: BSD-2-Clause */
#include "gap.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define ARENA 4080u /* PERL_ARENA_SIZE, of which most kinds of arenas are as large */
#define PAGE 4096u
#define EVEN (16 * PAGE)
/* Every fourth boundary's place is four times as even. */
#define EVERY 4u
#define MOST_USED 32u /* blocks that are passed over */


/* No block at or above this one was seen; malloc's are used upwards. */
static uintptr_t fresh;

void ksp_gap_take(unsigned int ordinal)
{
	uintptr_t even = ordinal % EVERY == 0 ? EVERY * EVEN : EVEN;
	void *used[MOST_USED];
	size_t used_count = 0;
	size_t left = even / PAGE;

	while (left > 0 && used_count < MOST_USED) {
		void *block = malloc(ARENA);

		if (!block)
			break;
		if ((uintptr_t)block < fresh) {
			used[used_count++] = block;
			continue;
		}
		fresh = (uintptr_t)block + PAGE;
		left = fresh % even ? left - 1 : 0;
	}
	while (used_count > 0)
		free(used[--used_count]);
}

void ksp_gap_moved(void)
{
	fresh = 0;
}
