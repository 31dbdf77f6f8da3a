/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks outlive the thread that made them, and 2,000 threads leave nothing behind. */
#include "test.h"

#include <pthread.h>

#define SIZE (40 * TEST_KIB)

/* A sanitizer keeps some kilobytes of its own for each thread that ever was. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMIT (64 * TEST_MIB)
#else
#define LIMIT (8 * TEST_MIB)
#endif

static void *make(void *data)
{
	char *kept = malloc(SIZE), *small = malloc(100), *dropped = malloc(SIZE);

	CHECK(kept && small && dropped);
	test_fill(kept, SIZE, (uint64_t)(uintptr_t)data);
	memset(dropped, 1, SIZE);
	free(dropped);
	free(small);
	return kept;
}

int main(void)
{
	size_t before = 0, mappings = 0;

	for (uintptr_t i = 0; i < 2000; i++) {
		pthread_t thread;
		void *kept;

		CHECK(pthread_create(&thread, NULL, make, (void *)i) == 0);
		CHECK(pthread_join(thread, &kept) == 0);
		CHECK(test_matches(kept, SIZE, i));
		free(kept);
		if (i == 200) {
			before = test_rss_bytes();
			mappings = test_vma_count();
		}
	}
	CHECK_MSG(test_rss_bytes() < before + LIMIT, "%zu KiB more after 1,800 threads",
		  (test_rss_bytes() - before) / TEST_KIB);
	CHECK_MSG(test_vma_count() < mappings + 20, "%zu mappings, %zu before", test_vma_count(), mappings);
	return 0;
}
