/* SPDX-License-Identifier: BSD-2-Clause */
/* The segment counts what a site did: calls, frees, live and peak bytes, in bytes asked for. */
#include "test.h"

#define COUNT 100
#define SIZE  (40000)

int main(void)
{
	void *blocks[COUNT];

	CHECK(ksmalloc_label_begin("counted") == 0);
	test_alloc_many(blocks, COUNT, SIZE);
	ksmalloc_label_end();
	const struct ksmalloc_segment_site *site = test_site_of(blocks[COUNT - 1]);

	CHECK(site != NULL);
	struct ksmalloc_site_stats stats = test_stats_of(site);

	CHECK_MSG(stats.calls_total == COUNT, "%llu calls", (unsigned long long)stats.calls_total);
	CHECK(stats.live_bytes == COUNT * SIZE);
	CHECK(stats.peak_bytes == COUNT * SIZE);
	CHECK(stats.allocated_bytes_total == COUNT * SIZE);
	CHECK(stats.frees_total == 0);
	CHECK(stats.placed_bytes >= (COUNT - 7) * 40960);
	CHECK(stats.placed_bytes <= COUNT * 40960);
	CHECK(stats.slot_bytes >= stats.placed_bytes);
	test_free_many(blocks, COUNT / 2);
	stats = test_stats_of(site);
	CHECK(stats.frees_total == COUNT / 2);
	CHECK(stats.live_bytes == COUNT / 2 * SIZE);
	CHECK(stats.peak_bytes == COUNT * SIZE);
	test_free_many(blocks + COUNT / 2, COUNT / 2);
	stats = test_stats_of(site);
	CHECK(stats.frees_total == COUNT);
	CHECK(stats.live_bytes == 0);
	CHECK(stats.placed_bytes == 0);
	return 0;
}
