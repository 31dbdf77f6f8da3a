/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that has taken all of the address space where slots could lie (a
 * sanitizer's shadow does) still gets its blocks, from jemalloc.
 */
#include "test.h"

#include <sys/mman.h>

#define COUNT 64
#define TIB   ((size_t)1 << 40)

/* Takes every free TiB between 16 and 84 TiB, which is where slots may lie on 47 bits. */
static void take_all(void)
{
	size_t taken = 0;

	for (size_t at = 16; at < 84; at++)
		taken += mmap((void *)(at * TIB), TIB, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED;
	if (taken < 60)
		test_skip("only %zu TiB of the address space could be taken", taken);
}

int main(void)
{
	void *blocks[3][COUNT];

	take_all();
	for (size_t round = test_opaque(0); round < 3; round++) {
		test_alloc_many(blocks[round], COUNT, 100 * TEST_KIB);
		for (size_t i = 0; i < COUNT; i++) {
			CHECK_MSG((uintptr_t)blocks[round][i] >= 65536, "a block lies at %p", blocks[round][i]);
			test_fill(blocks[round][i], 100 * TEST_KIB, round * COUNT + i);
		}
	}
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT; i++) {
			CHECK(test_matches(blocks[round][i], 100 * TEST_KIB, round * COUNT + i));
			free(blocks[round][i]);
		}
	}
	return 0;
}
