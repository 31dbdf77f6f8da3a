/* SPDX-License-Identifier: BSD-2-Clause */
/* ksmalloc_merge_now() merges while the kernel's own scan sleeps, and answers with the errors of its page. */
#include "library.h"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define COUNT 32
#define PAGES ((long)(BLOCK / TEST_PAGE))

static void *blocks[COUNT];

static void check_errors(void)
{
	char on_stack[TEST_PAGE];
	char *private_block = ksmalloc_malloc_private(BLOCK), *small = malloc(100);
	char *freed = malloc(BLOCK);

	free(freed);
	errno = 4711;
	CHECK(ksmalloc_merge_now(on_stack, 0) == -EINVAL);
	CHECK(ksmalloc_merge_now(small, 0) == -EINVAL);
	CHECK(ksmalloc_merge_now(private_block, 0) == -EINVAL);
	CHECK(ksmalloc_merge_now((char *)blocks[8] + TEST_PAGE, 0) == -EINVAL);
	CHECK(ksmalloc_merge_now((char *)blocks[8] + 1, 0) == -EINVAL);
	CHECK(ksmalloc_merge_now(freed, 0) == -EINVAL);
	/* In a nursery. */
	CHECK(ksmalloc_merge_now(blocks[0], 0) == -EINVAL);
	CHECK(ksmalloc_merge_now(blocks[8], 2) == -EINVAL);
	CHECK(ksmalloc_settled(on_stack) == -EINVAL);
	CHECK(ksmalloc_settled(private_block) == -EINVAL);
	CHECK(ksmalloc_settled((char *)blocks[8] + TEST_PAGE) == -EINVAL);
	write_setting("run", "0");
	CHECK(ksmalloc_merge_now(blocks[8], 0) == -EBUSY);
	CHECK(ksmalloc_merge_now(NULL, 0) == -EBUSY);
	write_setting("run", "1");
	CHECK(madvise(blocks[9], TEST_PAGE, MADV_UNMERGEABLE) == 0);
	CHECK(ksmalloc_merge_now(blocks[9], 0) == -EINVAL);
	CHECK(madvise(blocks[9], TEST_PAGE, MADV_MERGEABLE) == 0);
	CHECK(ksmalloc_merge_now(blocks[9], 0) == PAGES);
	CHECK(errno == 4711);
}

static int child_main(void)
{
	struct test_vma vma;

	test_alloc_many(blocks, COUNT, BLOCK);
	fill_blocks(blocks, COUNT, 7);
	CHECK(test_vma_of(blocks[8]).merged_bytes == 0);
	CHECK(ksmalloc_settled(blocks[8]) == 0);
	CHECK(STABILITY(test_vma_of(blocks[8]).hint) == KSMALLOC_STABILITY_SETTLED);
	CHECK(ksmalloc_merge_now(blocks[8], 0) == PAGES);
	vma = test_vma_of(blocks[8]);
	CHECK_MSG(vma.merged_bytes == BLOCK, "%zu KiB merged", vma.merged_bytes / TEST_KIB);
	/* The nursery is not advised, so that it is not among them. */
	CHECK(ksmalloc_merge_now(NULL, 0) == (COUNT - 3) * PAGES);
	vma = test_vma_of(blocks[8]);
	CHECK_MSG(vma.merged_bytes == (COUNT - 3) * BLOCK, "%zu KiB merged",
		  vma.merged_bytes / TEST_KIB);
	CHECK(one_vma(blocks + 4, COUNT - 4).hint == vma.hint);
	for (size_t i = 0; i < COUNT; i++)
		CHECK(test_matches(blocks[i], BLOCK, 7000 + i));
	CHECK(test_segment()->stats.merge_now_pages_total == (uint64_t)((COUNT - 2) * PAGES));
	return 0;
}

int main(int argc, char **argv)
{
	char child[] = "child";
	char *const again[] = { argv[0], child, NULL };
	int status;
	pid_t pid;

	need_hints();
	if (argc > 1)
		return child_main();
	/* The scan does nothing by itself: a page an hour. */
	write_setting("pages_to_scan", "1");
	write_setting("sleep_millisecs", "3600000");
	write_setting("run", "1");
	sleep_ms(100);
	/* It stands for a process that has loaded the same before. */
	test_alloc_many(blocks, COUNT, BLOCK);
	fill_blocks(blocks, COUNT, 7);
	CHECK(ksmalloc_merge_now(blocks[8], KSMALLOC_MERGE_TRY) == PAGES);
	CHECK(ksmalloc_settled(NULL) == 0);
	long pages = ksmalloc_merge_now(NULL, 0);

	CHECK_MSG(pages == (COUNT - 3) * PAGES, "%ld pages", pages);
	CHECK(posix_spawn(&pid, argv[0], NULL, NULL, again, environ) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(test_vma_of(blocks[8]).merged_bytes == (COUNT - 3) * BLOCK);
	check_errors();
	return 0;
}
