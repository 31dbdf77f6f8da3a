/* SPDX-License-Identifier: BSD-2-Clause */
/* 300 sites that hold 2 MiB each are 300 advised mappings, and hardly any others. */
#include "test.h"

#define SITES 300
#define COUNT 32

int main(void)
{
	static void *blocks[SITES][COUNT];
	char name[16];
	size_t before = test_vma_count();

	for (size_t s = 0; s < SITES; s++) {
		snprintf(name, sizeof(name), "site %zu", s);
		CHECK(ksmalloc_label_begin(name) == 0);
		test_alloc_many(blocks[s], COUNT, 64 * TEST_KIB);
		ksmalloc_label_end();
	}
	/* Half of the blocks go, which must split nothing. */
	for (size_t s = 0; s < SITES; s++)
		for (size_t i = 0; i < COUNT; i += 2)
			free(blocks[s][i]);
	CHECK(test_is_placed(blocks[SITES - 1][COUNT - 1]));
	size_t advised = test_vma_count_flag("mg"), after = test_vma_count();

	CHECK_MSG(advised == SITES, "%zu mappings are advised", advised);
	CHECK_MSG(after <= before + TEST_PROCESS_VMAS + 8 + SITES, "%zu mappings before, %zu after", before, after);
	return 0;
}
