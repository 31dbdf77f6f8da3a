/* SPDX-License-Identifier: BSD-2-Clause */
/* A forked child counts in a segment of its own, and its parent's stays as it was. */
#include "test.h"

#include <sys/wait.h>

#define COUNT 64

/* A file says who made it; memory is its process's. */
static pid_t maker(void)
{
	return getenv("KSMALLOC_STATS_DIR") ? getpid() : 0;
}

static void check_child(void **blocks, const struct ksmalloc_segment_site *parents, uint64_t calls)
{
	void *more[COUNT];

	test_alloc_many(more, COUNT, 64 * TEST_KIB);
	CHECK(test_is_placed(more[COUNT - 1]));
	CHECK(test_segment()->pid == maker());
	CHECK(test_segment()->stats.forks_total == 1);
	/* What the parent allocated is still known here, by the same id. */
	CHECK(test_site_of(blocks[COUNT - 1]) != NULL);
	test_free_many(blocks, COUNT);
	test_free_many(more, COUNT);
	(void)parents;
	(void)calls;
	_exit(0);
}

int main(void)
{
	void *blocks[COUNT];
	int status;

	test_alloc_many(blocks, COUNT, 64 * TEST_KIB);
	const struct ksmalloc_segment_site *site = test_site_of(blocks[COUNT - 1]);

	CHECK(site != NULL);
	uint64_t calls = site->stats.calls_total, frees = site->stats.frees_total;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0)
		check_child(blocks, site, calls);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %x", status);
	CHECK(site->stats.calls_total == calls);
	CHECK(site->stats.frees_total == frees);
	CHECK(test_segment()->pid == maker());
	return 0;
}
