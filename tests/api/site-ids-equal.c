/* SPDX-License-Identifier: BSD-2-Clause */
/* The same call stack has the same site id in processes whose addresses all differ. */
#include "test.h"

#define COUNT 64

static TEST_NOINLINE uint64_t by_one_way(void)
{
	void *blocks[COUNT];

	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	return test_site_of(blocks[COUNT - 1]) ? test_site_of(blocks[COUNT - 1])->id : 0;
}

static TEST_NOINLINE uint64_t by_another_way(void)
{
	uint64_t id = by_one_way();

	return id + 0 * (uint64_t)getpid();
}

int main(int argc, char **argv)
{
	static const char *const child[] = { "site-ids-equal", "child", NULL };
	char output[2][256];
	uint64_t ids[2][3], addresses[2];

	(void)argv;
	if (argc > 1) {
		uint64_t first = by_one_way(), second = by_another_way();
		/* Through libc: qsort, bsearch and the like are frames of another file. */
		printf("%llx %llx %llx\n", (unsigned long long)first, (unsigned long long)second,
		       (unsigned long long)(uintptr_t)&main);
		return 0;
	}
	for (int i = 0; i < 2; i++) {
		unsigned long long a, b, c;

		CHECK(test_run_self(child, output[i], sizeof(output[i])) == 0);
		CHECK(sscanf(output[i], "%llx %llx %llx", &a, &b, &c) == 3);
		ids[i][0] = a;
		ids[i][1] = b;
		addresses[i] = c;
	}
	CHECK(ids[0][0] != 0 && ids[0][1] != 0);
	CHECK(ids[0][0] >> 48 == 0);
	/* A different caller is a different site. */
	CHECK(ids[0][0] != ids[0][1]);
	CHECK(ids[0][0] == ids[1][0]);
	CHECK(ids[0][1] == ids[1][1]);
	if (addresses[0] == addresses[1])
		test_skip("this machine does not randomise addresses");
	return 0;
}
