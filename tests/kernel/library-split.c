/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A slot that grows by new mappings, since mremap fails, hints each before its first touch; a change of
 * the hint reaches all of the slot, also where the program has split it, and what is mapped later begins
 * with it.
 */
#include "library.h"
#include "../faults/seccomp.h"

#include <sys/mman.h>

#define COUNT	40
#define ROUNDS	3

static void *blocks[ROUNDS][COUNT];

static void check_all(size_t rounds, enum ksmalloc_stability wanted)
{
	for (size_t i = 0; i < rounds * COUNT; i++) {
		uint64_t hint = test_vma_of(blocks[i / COUNT][i % COUNT]).hint;

		/* The first three are in a nursery. */
		CHECK_MSG(i < 3 || (hint && STABILITY(hint) == wanted), "block %zu has the hint %llx", i,
			  (unsigned long long)hint);
	}
}

int main(void)
{
	uint64_t hints;

	need_hints();
	deny_calls("mremap:ENOMEM");
	for (size_t round = test_opaque(0); round < ROUNDS; round++) {
		test_alloc_many(blocks[round], COUNT, BLOCK);
		check_all(round + 1, round < 2 ? KSMALLOC_STABILITY_UNKNOWN : KSMALLOC_STABILITY_SETTLED);
		fill_blocks(blocks[round], COUNT, round);
		if (round == 1) {
			hints = test_segment()->stats.hints_total;
			CHECK_MSG(hints > 2, "%llu hints", (unsigned long long)hints);
			CHECK(mprotect(blocks[0][20], BLOCK, PROT_READ) == 0);
			CHECK(ksmalloc_settled(blocks[0][4]) == 0);
			CHECK(test_segment()->stats.hints_total == hints + 1);
			check_all(2, KSMALLOC_STABILITY_SETTLED);
		}
	}
	CHECK(mprotect(blocks[0][20], BLOCK, PROT_READ | PROT_WRITE) == 0);
	for (size_t i = 3; i < COUNT; i++)
		CHECK(test_vma_of(blocks[0][i]).begin == test_vma_of(blocks[2][COUNT - 1]).begin);
	CHECK(test_segment()->stats.hint_failed_total == 0);
	return 0;
}
