/* SPDX-License-Identifier: BSD-2-Clause */
/* Alignments that are none give EINVAL and leave the result alone, as the standards say. */
#include "test.h"

int main(void)
{
	static const size_t bad[] = { 0, 3, 24, 4097, SIZE_MAX, 6000 };
	void *const untouched = (void *)(uintptr_t)0x1230;

	for (size_t i = 0; i < TEST_COUNT_OF(bad); i++) {
		volatile size_t alignment = bad[i];
		void *result = untouched;

		errno = 7;
		CHECK_MSG(posix_memalign(&result, alignment, 100) == EINVAL,
			  "posix_memalign with alignment %zu", alignment);
		CHECK(result == untouched);
		/* POSIX: the error is returned, errno is not set. */
		CHECK(errno == 7);
		CHECK(posix_memalign(&result, alignment, 100000) == EINVAL);
	}
	/* A power of two, but not a multiple of the size of a pointer. */
	for (size_t alignment = 1; alignment < sizeof(void *); alignment *= 2) {
		void *result = untouched;

		CHECK(posix_memalign(&result, alignment, 100) == EINVAL);
		CHECK(result == untouched);
	}
	/* glibc up to 2.37 rounds up instead of refusing; both are good, a wrong block is not. */
	for (size_t i = 1; i < TEST_COUNT_OF(bad); i++) {
		volatile size_t alignment = bad[i];

		errno = 0;
		void *block = aligned_alloc(alignment, 100000);

		if (!block) {
			CHECK(errno == EINVAL);
			continue;
		}
		CHECK(((uintptr_t)block & (alignment - 1)) == 0 || (uintptr_t)block % 8192 == 0);
		free(block);
	}
	return 0;
}
