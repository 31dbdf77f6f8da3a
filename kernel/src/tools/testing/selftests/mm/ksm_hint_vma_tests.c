// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of what VMAs do with a hint to KSM, prctl(PR_SET_VMA,
 * PR_SET_VMA_KSM_HINT): split, merge, move, grow, fork, exec. Run as root.
 */
#include "ksm_hint_common.h"

static void test_hint_vma_limit(void)
{
	unsigned long i, pages = 70000;
	char *addr = map_alone(pages * page);
	uint64_t last[2] = {};
	int err = 0;

	for (i = 0; i < pages && !err; i += 2)
		err = hint(addr + i * page, page, word(5, 1, 0));
	if (!err) {
		ksft_test_result_skip("limit of VMAs: there is none below %lu\n",
				      pages);
	} else {
		hints(getpid(), addr + (i - 2) * page, addr + (i - 1) * page,
		      last, 1);
		ksft_test_result(err == EAGAIN && !last[0],
				 "limit of VMAs: EAGAIN, and the old word\n");
	}
	munmap(addr, pages * page);
}

static void test_vma_split_merge(void)
{
	char *addr = map_alone(6 * page);
	uint64_t a = word(6, 1, 0), b = word(6, 2, 0);

	fill(addr, 6 * page, 1);
	ksft_test_result(!hint(addr + 2 * page, 2 * page, a) &&
			 HAS_HINTS(addr, 6 * page, 0, a, 0), "split in three\n");
	ksft_test_result(!hint(addr, 6 * page, b) && HAS_HINTS(addr, 6 * page, b),
			 "one hint for all merges them\n");
	ksft_test_result(!hint(addr, 3 * page, a) &&
			 HAS_HINTS(addr, 6 * page, a, b),
			 "different hints do not merge\n");
	ksft_test_result(!hint(addr + 3 * page, page, a) &&
			 HAS_HINTS(addr, 4 * page, a) &&
			 HAS_HINTS(addr, 6 * page, a, b),
			 "the border between two hints moves\n");
	ksft_test_result(!mprotect(addr + page, page, PROT_READ) &&
			 HAS_HINTS(addr, 4 * page, a, a, a),
			 "mprotect in the middle keeps the hint\n");
	ksft_test_result(!mprotect(addr + page, page, PROT_READ | PROT_WRITE) &&
			 HAS_HINTS(addr, 4 * page, a),
			 "mprotect back merges\n");
	ksft_test_result(!mlock(addr + page, page) &&
			 HAS_HINTS(addr, 4 * page, a, a, a),
			 "mlock in the middle keeps the hint\n");
	munlock(addr + page, page);
	ksft_test_result(!madvise(addr, 2 * page, MADV_MERGEABLE) &&
			 HAS_HINTS(addr, 4 * page, a, a),
			 "madvise keeps the hint\n");
	madvise(addr, 2 * page, MADV_UNMERGEABLE);
	munmap(addr + page, page);
	ksft_test_result(mmap(addr + page, page, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
			 addr + page && HAS_HINTS(addr, 4 * page, a, 0, a),
			 "munmap forgets the hint\n");
	ksft_test_result(!hint(addr, 6 * page, 0) && HAS_HINTS(addr, page, 0) &&
			 HAS_HINTS(addr + 2 * page, 4 * page, 0),
			 "0 clears\n");
	munmap(addr, 6 * page);
}

static void test_vma_mremap(void)
{
	char *addr = map_alone(4 * page), *to = map_alone(16 * page);
	uint64_t w = word(7, 3, 0);

	hint(addr, 2 * page, w);
	addr = mremap(addr + page, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	ksft_test_result(addr == to && HAS_HINTS(to, 16 * page, w, 0),
			 "mremap moves the hint along\n");
	munmap(to + page, 15 * page);
	addr = mremap(to, page, 8 * page, MREMAP_MAYMOVE);
	ksft_test_result(addr != MAP_FAILED && HAS_HINTS(addr, 8 * page, w),
			 "memory grown by mremap has the hint\n");
	munmap(addr, 8 * page);
}

static void test_vma_brk(void)
{
	char *start = sbrk(0), *end;
	uint64_t w = word(8, 3, 0);

	start = (char *)(((unsigned long)start + page - 1) & ~(page - 1));
	brk(start);
	end = sbrk(4 * page);
	ksft_test_result(end == start && !hint(start, 4 * page, w) &&
			 sbrk(4 * page) == start + 4 * page &&
			 HAS_HINTS(start, 8 * page, w),
			 "memory grown by brk has the hint\n");
	brk(start);
}

static void test_vma_fork(void)
{
	char *addr = map_alone(4 * page);
	uint64_t w = word(9, 3, 0);
	int status;
	pid_t pid;

	fill(addr, 4 * page, 2);
	hint(addr, 4 * page, w);
	madvise(addr + 2 * page, 2 * page, MADV_WIPEONFORK);
	pid = fork();
	if (!pid)
		_exit(!HAS_HINTS(addr, 4 * page, w, w));
	waitpid(pid, &status, 0);
	ksft_test_result(!status, "fork copies the hint, also with WIPEONFORK\n");
	munmap(addr, 4 * page);
}

static void test_vma_other_forks(void)
{
	char *addr = map_alone(4 * page);
	uint64_t w = word(11, 3, 0);
	int status;
	pid_t pid;

	hint(addr, 4 * page, w);
	madvise(addr, page, MADV_DONTFORK);
	pid = fork();
	if (!pid)
		_exit(!(HAS_HINTS(addr + page, 3 * page, w) &&
			!hint(addr + page, 3 * page, 0)));
	waitpid(pid, &status, 0);
	ksft_test_result(!status && HAS_HINTS(addr + page, 3 * page, w),
			 "a child changes its own hints only\n");
	munmap(addr, 4 * page);
}

static void test_vma_grows_down(void)
{
	unsigned long len = 1024 * page;
	char *area = map_alone(len), *addr = area + len - 2 * page;
	uint64_t w = word(12, 3, 0), found = 0;

	/* Room to grow into, with a guard gap below. */
	munmap(area, len);
	addr = mmap(addr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	if (addr == MAP_FAILED)
		ksft_exit_fail_msg("no memory that grows down\n");
	hint(addr, 2 * page, w);
	memset(addr - page, 1, 1);
	hints(getpid(), addr - page, addr, &found, 1);
	ksft_test_result(found == w, "memory that grows down has the hint\n");
	munmap(addr - page, 3 * page);
}

static void test_vma_remap_in_place(void)
{
	char *addr = map_alone(8 * page);
	uint64_t w = word(13, 3, 0);

	munmap(addr + 2 * page, 6 * page);
	hint(addr, 2 * page, w);
	ksft_test_result(mremap(addr + page, page, 4 * page, 0) == addr + page &&
			 HAS_HINTS(addr, 5 * page, w),
			 "memory grown in place by its last page is one VMA\n");
	munmap(addr, 8 * page);
}

static void test_vma_exec(void)
{
	char *addr = map_alone(page);
	int status;
	pid_t pid;

	hint(addr, page, word(10, 3, 0));
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "ksm_hint_vma_tests", "--no-hint", NULL);
		_exit(2);
	}
	waitpid(pid, &status, 0);
	ksft_test_result(!status, "exec drops the hint\n");
	munmap(addr, page);
}

/* This program after exec: is there a hint anywhere? */
static int has_no_hint(void)
{
	uint64_t value[256];
	int count = hints(getpid(), NULL, (char *)~0UL, value, 256);

	while (count--) {
		if (value[count])
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	page = getpagesize();
	if (argc > 1 && !strcmp(argv[1], "--no-hint"))
		return has_no_hint();

	begin(19);
	test_hint_vma_limit();
	test_vma_split_merge();
	test_vma_mremap();
	test_vma_brk();
	test_vma_fork();
	test_vma_other_forks();
	test_vma_grows_down();
	test_vma_remap_in_place();
	test_vma_exec();
	end();
}
