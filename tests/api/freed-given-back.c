/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Freed runs go back to the kernel: of 256 MiB that were touched and freed, all
 * sites together keep at most 4 MiB or 3 % of what is live.
 */
#include "test.h"

#include <time.h>

#define COUNT 4096
#define SIZE  (64 * TEST_KIB)

/* Giving back may lag behind by some milliseconds; half a minute means that it does not happen. */
static size_t settled_rss(size_t limit)
{
	size_t rss = test_rss_bytes();

	for (int i = 0; i < 3000 && rss > limit; i++) {
		struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
		void *nudge[2];

		nanosleep(&pause, NULL);
		/* A program that runs on calls malloc now and then; nothing else gives time to the library. */
		test_alloc_many(nudge, 2, SIZE);
		test_free_many(nudge, 2);
		rss = test_rss_bytes();
	}
	return rss;
}

int main(void)
{
	static void *blocks[COUNT];
	size_t before = test_rss_bytes();

	test_alloc_many(blocks, COUNT, SIZE);
	for (size_t i = 0; i < COUNT; i++)
		memset(blocks[i], 0x42, SIZE);
	CHECK(test_is_placed(blocks[COUNT - 1]));
	CHECK(test_rss_bytes() > before + COUNT * SIZE - 2 * TEST_MIB);

	/* Three quarters, scattered: 64 MiB stay live, so 4 MiB may be kept, and 1 MiB for metadata. */
	for (size_t i = 0; i < COUNT; i++)
		if (i % 4)
			free(blocks[i]);
	size_t live = COUNT / 4 * SIZE, limit = before + live + 5 * TEST_MIB;
	size_t rss = settled_rss(limit);

	CHECK_MSG(rss <= limit, "%zu KiB are resident, %zu KiB is the limit", rss / TEST_KIB, limit / TEST_KIB);
	for (size_t i = 0; i < COUNT; i += 4) {
		CHECK(((char *)blocks[i])[SIZE - 1] == 0x42);
		free(blocks[i]);
	}
	limit = before + 5 * TEST_MIB;
	rss = settled_rss(limit);
	CHECK_MSG(rss <= limit, "%zu KiB are resident, %zu KiB is the limit", rss / TEST_KIB, limit / TEST_KIB);
	return 0;
}
