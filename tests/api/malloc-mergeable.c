/* SPDX-License-Identifier: BSD-2-Clause */
/* ksmalloc_malloc_mergeable places even one small block, in advised memory, with a zero tail. */
#include "test.h"

int main(void)
{
	static const size_t sizes[] = { 1, 100, 5000, 16384, 200000, 3 << 20 };

	for (size_t i = 0; i < TEST_COUNT_OF(sizes); i++) {
		char *block = ksmalloc_malloc_mergeable(sizes[i]);

		CHECK(block != NULL);
		CHECK((uintptr_t)block % TEST_PAGE == 0);
		CHECK(test_is_placed(block));
		CHECK_MSG(test_has_flag(block, "mg"), "%zu bytes are not mergeable", sizes[i]);
		CHECK(test_tail_is_zero(block, sizes[i]));
		test_fill(block, sizes[i], i);
		block = realloc(block, sizes[i] + 100);
		CHECK(block != NULL);
		CHECK(test_matches(block, sizes[i], i));
		CHECK(malloc_usable_size(block) >= sizes[i] + 100);
		free(block);
	}
	errno = 0;
	CHECK(ksmalloc_malloc_mergeable(PTRDIFF_MAX) == NULL);
	CHECK(errno == ENOMEM);
	return 0;
}
