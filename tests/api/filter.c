/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KSMALLOC_ALLOW and KSMALLOC_DENY choose sites by the names of their functions.
 * The test is run with one of them set; the names below are exported for that.
 * argv: which of the two functions' blocks are expected to be mergeable.
 */
#include "test.h"

#define COUNT 64

void ksmtest_wanted(void **blocks);
void ksmtest_secret(void **blocks);

__attribute__((visibility("default"))) TEST_NOINLINE void ksmtest_wanted(void **blocks)
{
	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
}

__attribute__((visibility("default"))) TEST_NOINLINE void ksmtest_secret(void **blocks)
{
	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
}

int main(int argc, char **argv)
{
	void *wanted[COUNT], *secret[COUNT];

	CHECK(argc == 3);
	ksmtest_wanted(wanted);
	ksmtest_secret(secret);
	for (size_t i = 16; i < COUNT; i++) {
		CHECK_MSG(test_has_flag(wanted[i], "mg") == (argv[1][0] == '1'), "wanted block %zu", i);
		CHECK_MSG(test_has_flag(secret[i], "mg") == (argv[2][0] == '1'), "secret block %zu", i);
	}
	return 0;
}
