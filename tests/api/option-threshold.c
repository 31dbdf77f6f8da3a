/* SPDX-License-Identifier: BSD-2-Clause */
/* KSMALLOC_THRESHOLD=65536 and KSMALLOC_SITE_BYTES=1048576 move both limits. */
#include "test.h"

#define COUNT 64

int main(void)
{
	void *below[COUNT], *above[COUNT];
	size_t placed = 0;

	test_alloc_many(below, COUNT, 65535);
	for (size_t i = 0; i < COUNT; i++)
		CHECK(!test_is_placed(below[i]));
	test_alloc_many(above, COUNT, 65536);
	for (size_t i = 0; i < COUNT; i++)
		placed += test_is_placed(above[i]);
	/* 16 blocks are 1 MiB; whether the block that reaches the limit is placed is not promised. */
	CHECK_MSG(placed >= COUNT - 16 && placed <= COUNT - 15, "%zu blocks are placed", placed);
	CHECK(test_segment()->threshold_bytes == 65536);
	return 0;
}
