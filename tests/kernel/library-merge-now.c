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

/* Another process that loads the same; forked: the first one has forked meanwhile. */
static int child_main(bool forked)
{
	struct test_vma vma;

	test_alloc_many(blocks, COUNT, BLOCK);
	fill_blocks(blocks, COUNT, 7);
	CHECK(test_vma_of(blocks[8]).merged_bytes == 0);
	CHECK(ksmalloc_settled(blocks[8]) == 0);
	CHECK(STABILITY(test_vma_of(blocks[8]).hint) == KSMALLOC_STABILITY_SETTLED);
	CHECK(ksmalloc_merge_now(blocks[8], 0) == PAGES);
	vma = test_vma_of(blocks[8]);
	CHECK_MSG(vma.merged_bytes == (forked ? vma.merged_bytes : BLOCK), "%zu KiB merged",
		  vma.merged_bytes / TEST_KIB);
	/*
	 * The nursery is not advised, so that it is not among them. What a fork of its owner made
	 * read-only may merge at the second visit only.
	 */
	for (int i = 0; i <= forked; i++)
		CHECK(ksmalloc_merge_now(NULL, 0) == (COUNT - 3) * PAGES);
	vma = test_vma_of(blocks[8]);
	CHECK_MSG(vma.merged_bytes == (COUNT - 3) * BLOCK, "%zu KiB merged",
		  vma.merged_bytes / TEST_KIB);
	CHECK(one_vma(blocks + 4, COUNT - 4).hint == vma.hint);
	for (size_t i = 0; i < COUNT; i++)
		CHECK(test_matches(blocks[i], BLOCK, 7000 + i));
	CHECK(test_segment()->stats.merge_now_pages_total >= (uint64_t)((COUNT - 2) * PAGES));
	return 0;
}

static void spawn(char *program, char *argument)
{
	char *const again[] = { program, argument, NULL };
	int status;
	pid_t pid;

	CHECK(posix_spawn(&pid, program, NULL, NULL, again, environ) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void fork_once(void)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0);
	if (child == 0)
		_exit(test_matches(blocks[8], BLOCK, 7008) ? 0 : 1);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv)
{
	char first[] = "first", forked[] = "forked";

	need_hints();
	if (argc > 1)
		return child_main(strcmp(argv[1], "forked") == 0);
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
	spawn(argv[0], first);
	CHECK(test_vma_of(blocks[8]).merged_bytes == (COUNT - 3) * BLOCK);
	check_errors();
	/* What was merged is its own again. */
	fill_blocks(blocks, COUNT, 7);
	CHECK(ksmalloc_merge_now(NULL, 0) == (COUNT - 3) * PAGES);
	fork_once();
	spawn(argv[0], forked);
	return 0;
}
