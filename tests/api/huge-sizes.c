/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes that no address space holds give NULL and ENOMEM in every call of the family. */
#include "test.h"

static void expect_enomem(const char *call, size_t size, const void *result, int error)
{
	CHECK_MSG(result == NULL, "%s of %zu bytes gave %p", call, size, result);
	CHECK_MSG(error == ENOMEM, "%s of %zu bytes set errno %d", call, size, error);
}

#define TRY(call, size)								\
	do {									\
		errno = 0;							\
		void *block = (call);						\
		expect_enomem(#call, size, block, errno);			\
	} while (0)

static void try_size(size_t size, char *kept)
{
	void *result = NULL;

	TRY(malloc(size), size);
	TRY(calloc(1, size), size);
	TRY(calloc(size, 1), size);
	TRY(realloc(NULL, size), size);
	TRY(realloc(kept, size), size);
	TRY(reallocarray(NULL, 1, size), size);
	TRY(aligned_alloc(64, size), size);
	TRY(aligned_alloc(2 * TEST_MIB, size), size);
	CHECK(posix_memalign(&result, 64, size) == ENOMEM);
	CHECK(posix_memalign(&result, 2 * TEST_MIB, size) == ENOMEM);
#ifndef KSM_TEST_PREFIXED
	TRY(memalign(4096, size), size);
	TRY(valloc(size), size);
	TRY(pvalloc(size), size);
#endif
}

int main(void)
{
	static const size_t sizes[] = { PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 4096,
					SIZE_MAX - 65536, SIZE_MAX / 2 - 4095, (size_t)1 << 48,
					((size_t)1 << 47) + 1 };
	static const size_t kept_sizes[] = { 100, 400 * 1024 };

	for (size_t k = 0; k < TEST_COUNT_OF(kept_sizes); k++) {
		char *kept = malloc(kept_sizes[k]);

		CHECK(kept != NULL);
		test_fill(kept, kept_sizes[k], 4);
		for (size_t i = 0; i < TEST_COUNT_OF(sizes); i++) {
			volatile size_t size = sizes[i];

			try_size(size, kept);
		}
		CHECK(test_matches(kept, kept_sizes[k], 4));
		free(kept);
	}
	return 0;
}
