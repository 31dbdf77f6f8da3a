/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The segment is there from the start, as private memory behind a page that marks it in
 * /proc/PID/maps; no file is made, no descriptor stays open, and hardly any of it is resident.
 */
#include "test.h"

#include <dirent.h>

#define COUNT 64

/* Descriptors that are the marker's. Others may have been inherited. */
static size_t count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;
	char target[256];
	size_t count = 0;

	CHECK(folder != NULL);
	while ((entry = readdir(folder))) {
		ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);

		target[length < 0 ? 0 : length] = '\0';
		count += strstr(target, KSMALLOC_SEGMENT_MARKER) != NULL;
	}
	closedir(folder);
	return count;
}

int main(void)
{
	void *blocks[COUNT];
	const struct ksmalloc_segment_header *header = test_segment();

	CHECK(header != NULL);
	CHECK(header->slots.count == 0 && header->sites.count == 0);
	CHECK(header->page_bytes == TEST_PAGE);
	CHECK(header->threshold_bytes == 16384);
	CHECK(header->size_bytes >= header->header_bytes);
	CHECK(strcmp(header->library_version, KSMALLOC_VERSION_STRING) == 0);
	CHECK(strcmp(header->group, getenv("KSMALLOC_GROUP") ? getenv("KSMALLOC_GROUP") : "") == 0);
	CHECK_MSG(test_vma_of(header).rss_bytes <= 4 * TEST_PAGE, "%zu bytes are resident",
		  test_vma_of(header).rss_bytes);
	CHECK(count_descriptors() == 0);

	struct test_vma marker = test_vma_of((const char *)header - 1);

	CHECK_MSG(strcmp(marker.name, "/memfd:" KSMALLOC_SEGMENT_MARKER " (deleted)") == 0,
		  "the marker is called %s", marker.name);
	CHECK(strcmp(marker.perms, "---p") == 0);
	CHECK(marker.end - marker.begin == TEST_PAGE);

	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	CHECK(test_is_placed(blocks[COUNT - 1]));
	CHECK(test_segment() == header);
	CHECK(header->pid == 0 && header->boot_id[0] == '\0');
	CHECK((uintptr_t)blocks[COUNT - 1] - header->span_base < header->span_bytes);
	CHECK(test_vma_of(header).name[0] == '\0');
	CHECK(strcmp(test_vma_of(header).perms, "rw-p") == 0);
	CHECK(header->stats.segment_failed_total == 0);
	CHECK(count_descriptors() == 0);
	return 0;
}
