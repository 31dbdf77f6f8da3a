/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A freed run serves its own site only: while one site gives back what another
 * one takes, no block ever lies in the other's slot, and no byte crosses over.
 */
#include "test.h"

#define COUNT 64
#define SIZE  (50 * TEST_KIB)

/* Are there 64 equal secret bytes somewhere in the block? */
static bool has_secret(const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i + 64 <= size; i += 64) {
		size_t equal = 0;

		while (equal < 64 && bytes[i + equal] == 0xc3)
			equal++;
		if (equal == 64)
			return true;
	}
	return false;
}

static TEST_NOINLINE void take_first(void **blocks)
{
	test_alloc_many(blocks, COUNT, SIZE);
}

static TEST_NOINLINE void take_second(void **blocks)
{
	test_alloc_many(blocks, COUNT, SIZE);
}

int main(void)
{
	void *first[COUNT], *second[COUNT];
	uint64_t first_id = 0, second_id = 0;

	for (int round = 0; round < 10; round++) {
		take_first(first);
		for (size_t i = 0; i < COUNT; i++)
			memset(first[i], 0xc3, SIZE);
		CHECK(test_is_placed(first[COUNT - 1]));
		first_id = test_site_of(first[COUNT - 1])->id;
		test_free_many(first, COUNT);

		take_second(second);
		CHECK(test_is_placed(second[COUNT - 1]));
		second_id = test_site_of(second[COUNT - 1])->id;
		CHECK(first_id != second_id);
		for (size_t i = 0; i < COUNT; i++) {
			const struct ksmalloc_segment_site *site = test_site_of(second[i]);

			if (!site)
				continue;
			CHECK(site->id == second_id);
			CHECK_MSG(!has_secret(second[i], SIZE), "bytes of another site in block %zu", i);
			memset(second[i], 0x3c, SIZE);
		}
		test_free_many(second, COUNT);
	}
	return 0;
}
