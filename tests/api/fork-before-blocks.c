/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A child that is forked before anything was placed counts for itself: what it does is not seen in
 * its parent's segment, be it memory or a file.
 */
#include "test.h"

#include <sys/mman.h>
#include <sys/wait.h>

#define COUNT 64

int main(void)
{
	void *blocks[COUNT];
	int status;
	const struct ksmalloc_segment_header *header = test_segment();

	CHECK(header != NULL);
	uint64_t calls = header->stats.mmap_calls_total;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		CHECK(mmap(NULL, TEST_MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
		test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
		CHECK(test_is_placed(blocks[COUNT - 1]));
		CHECK(test_segment()->slots.count > 0);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x", status);
	/* Reading smaps may map something itself; the child's own is not among it. */
	CHECK(header->slots.count == 0);
	CHECK(header->stats.mmap_calls_total == calls);
	return 0;
}
