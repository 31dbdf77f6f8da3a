/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a folder is asked for, the segment is a private file in it, and says whose it is. */
#include "test.h"

#include <sys/stat.h>

#define COUNT 64

int main(void)
{
	void *blocks[COUNT];
	struct stat status;

	/* Made at load: later a sandbox may forbid it. */
	CHECK(test_segment() != NULL && test_segment()->pid == getpid());
	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	CHECK(test_is_placed(blocks[COUNT - 1]));
	const struct ksmalloc_segment_header *header = test_segment();

	CHECK(header != NULL);
	CHECK(header->pid == getpid());
	CHECK(header->page_bytes == TEST_PAGE);
	CHECK(header->threshold_bytes == 16384);
	CHECK(header->size_bytes >= header->header_bytes);
	CHECK(strcmp(header->library_version, KSMALLOC_VERSION_STRING) == 0);
	CHECK((uintptr_t)blocks[COUNT - 1] - header->span_base < header->span_bytes);
	struct test_vma vma = test_vma_of(header);

	CHECK(strstr(vma.name, getenv("KSMALLOC_STATS_DIR")) == vma.name);
	CHECK_MSG(stat(vma.name, &status) == 0, "%s cannot be read", vma.name);
	CHECK((status.st_mode & 0777) == 0600);
	CHECK((uint64_t)status.st_size >= header->size_bytes);
	return 0;
}
