/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs share that run under the library on the patched kernel. */
#ifndef KSM_TEST_LIBRARY_H
#define KSM_TEST_LIBRARY_H

#include "test.h"

#include <time.h>

#define BLOCK (64 * TEST_KIB)

#define STABILITY(hint) ((hint) >> KSMALLOC_HINT_STABILITY_SHIFT & 3)
#define PRIORITY(hint)	((hint) >> KSMALLOC_HINT_PRIORITY_SHIFT & 15)

static inline void sleep_ms(long milliseconds)
{
	nanosleep(&(struct timespec){ milliseconds / 1000, milliseconds % 1000 * 1000000 }, NULL);
}

/* Bytes that are equal in all processes, and different in all pages of a block. */
static inline void fill_blocks(void **blocks, size_t count, uint64_t seed)
{
	for (size_t i = 0; i < count; i++)
		test_fill(blocks[i], BLOCK, seed * 1000 + i);
}

static inline void write_setting(const char *name, const char *value)
{
	char path[100];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/mm/ksm/%s", name);
	file = fopen(path, "we");
	CHECK_MSG(file && fputs(value, file) >= 0 && fclose(file) == 0, "cannot set %s", name);
}

static inline void need_hints(void)
{
	if (!test_takes_hints())
		test_skip("this kernel takes no hints");
}

/* The one VMA that holds all of the blocks. */
static inline struct test_vma one_vma(void **blocks, size_t count)
{
	struct test_vma vma = test_vma_of(blocks[0]);

	for (size_t i = 1; i < count; i++)
		CHECK_MSG((uintptr_t)blocks[i] >= vma.begin && (uintptr_t)blocks[i] < vma.end,
			  "block %zu lies in another mapping", i);
	return vma;
}

#endif
