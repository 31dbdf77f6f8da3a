/* SPDX-License-Identifier: BSD-2-Clause */
/* What the library maps beyond the program's blocks is not charged as used: under strict accounting it would count. */
#include "test.h"

#define COUNT 64

static size_t committed(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	size_t kib = 0;

	CHECK(file != NULL);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Committed_AS: %zu kB", &kib) == 1)
			break;
	fclose(file);
	return kib * TEST_KIB;
}

int main(void)
{
	void *blocks[COUNT];
	size_t before = committed();

	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	CHECK(test_is_placed(blocks[COUNT - 1]));
	/* 4 MiB were asked for; a slot grows ahead by 2 MiB. Other processes of the machine count too. */
	CHECK_MSG(committed() < before + 128 * TEST_MIB, "%zu MiB more are charged",
		  (committed() - before) / TEST_MIB);
	return 0;
}
