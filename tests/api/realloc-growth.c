/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two buffers that grow step by step in turn are not copied again and again: the pages that they touch are
 * little more than those that they have at the end. Their memory stays mergeable and theirs.
 */
#include "test.h"

#include <sys/resource.h>

#define STEP (64 * TEST_KIB)
#define END  (96 * TEST_MIB)

static long faults(void)
{
	struct rusage usage;

	CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_minflt;
}

static TEST_NOINLINE void *grow(void *buffer, size_t size)
{
	void *grown = realloc(buffer, size);

	CHECK(grown != NULL);
	return grown;
}

int main(void)
{
	unsigned char *buffers[2] = { NULL };
	long before = faults(), most = 2 * END / TEST_PAGE * 5 / 4;
	size_t resident;

	for (size_t offset = 0; offset < END; offset += STEP) {
		for (size_t i = test_opaque(0); i < 2; i++) {
			buffers[i] = grow(buffers[i], offset + STEP);
			memset(buffers[i] + offset, (int)(offset / STEP + i * 7) | 1, STEP);
		}
	}
	CHECK_MSG(faults() - before <= most, "%ld page faults, of at most %ld", faults() - before, most);
	for (size_t offset = 0; offset < END; offset += TEST_PAGE)
		for (size_t i = 0; i < 2; i++)
			CHECK(buffers[i][offset] == (unsigned char)((offset / STEP + i * 7) | 1));
	CHECK(test_is_placed(buffers[0]) && test_has_flag(buffers[0], "mg"));
	CHECK(test_stats_of(test_site_of(buffers[0])).live_bytes >= 2 * END);
	/* What they left behind is given back. */
	resident = test_rss_bytes();
	CHECK_MSG(resident < 2 * END + 32 * TEST_MIB, "%zu bytes are resident", resident);
	free(buffers[0]);
	free(buffers[1]);
	CHECK_MSG(test_rss_bytes() < resident - 2 * END + 32 * TEST_MIB, "%zu of %zu bytes remain",
		  test_rss_bytes(), resident);
	return 0;
}
