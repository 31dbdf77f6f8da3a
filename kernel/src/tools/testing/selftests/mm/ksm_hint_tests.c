// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the hints to KSM, prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT), and of
 * merging on request, prctl(PR_KSM_MERGE): the error for each wrong argument,
 * what is merged, and what becomes of it. Run as root: ksmd is stopped and
 * started, and left stopped with nothing merged.
 */
#include <sched.h>

#include "ksm_hint_common.h"

static void test_hint_arguments(void)
{
	const struct {
		const char *name;
		unsigned long offset, len;
		uint64_t value;
		int error;
	} cases[] = {
		{ "a valid hint", 0, 2, word(1, 1, 0), 0 },
		{ "all fields", 0, 2, word((1ULL << 48) - 1, 15, 2) | 3ULL << 54, 0 },
		{ "an empty range", 0, 0, word(1, 1, 0), 0 },
		{ "no hint", 0, 2, 0, 0 },
		{ "site 0 with a priority", 0, 2, word(0, 1, 0), EINVAL },
		{ "site 0 with a stability", 0, 2, word(0, 0, 2), EINVAL },
		{ "site 0 with peers", 0, 2, 1ULL << 54, EINVAL },
		{ "site 0 with provenance", 0, 2, 1ULL << 55, EINVAL },
		{ "stability 3", 0, 2, word(1, 1, 3), EINVAL },
		{ "the lowest reserved bit", 0, 2, word(1, 1, 0) | 1ULL << 56, EINVAL },
		{ "the highest reserved bit", 0, 2, word(1, 1, 0) | 1ULL << 63, EINVAL },
		{ "an address inside of a page", 1, 2, word(1, 1, 0), EINVAL },
		{ "an empty range and a wrong word", 0, 0, word(1, 1, 3), EINVAL },
	};
	char *addr = map_alone(2 * page);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		ksft_test_result(hint(addr + cases[i].offset,
				      cases[i].len * page, cases[i].value) ==
				 cases[i].error, "hint: %s\n", cases[i].name);

	ksft_test_result(hint(addr, page + 1, word(1, 1, 0)) == EINVAL,
			 "hint: a length that is not whole pages\n");
	ksft_test_result(hint(addr, -page, word(1, 1, 0)) == EINVAL,
			 "hint: a range that wraps\n");
	ksft_test_result(hint((void *)(-2 * page), page, word(1, 1, 0)) == ENOMEM,
			 "hint: memory of the kernel\n");
	ksft_test_result(prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT + 1, addr, page, 0) &&
			 errno == EINVAL, "hint: an unknown kind of setting\n");
	ksft_test_result(hint(NULL, 0, 0) == 0, "hint: the probe\n");
	ksft_test_result(HAS_HINTS(addr, 2 * page, 0),
			 "hint: wrong arguments leave no hint\n");
	munmap(addr, 2 * page);
}

static void test_hint_holes(void)
{
	char *addr = map_alone(6 * page);
	uint64_t w = word(2, 1, 0);

	munmap(addr + 2 * page, page);
	ksft_test_result(hint(addr, 6 * page, w) == ENOMEM &&
			 HAS_HINTS(addr, 6 * page, w, w),
			 "hole in the middle: ENOMEM, the rest has the hint\n");
	ksft_test_result(hint(addr + 5 * page, 2 * page, w + 1) == ENOMEM &&
			 HAS_HINTS(addr, 6 * page, w, w, w + 1),
			 "hole at the end: ENOMEM, the rest has the hint\n");
	ksft_test_result(hint(addr + 2 * page, 2 * page, w + 2) == ENOMEM &&
			 HAS_HINTS(addr, 6 * page, w, w + 2, w, w + 1),
			 "hole at the start: ENOMEM, the rest has the hint\n");
	ksft_test_result(hint(addr + 2 * page, page, w) == ENOMEM,
			 "nothing but a hole: ENOMEM\n");
	munmap(addr, 6 * page);
}

static void test_hint_never_mergeable(void)
{
	char *addr = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ksft_test_result(hint(addr + page, page, word(3, 1, 0)) == 0 &&
			 HAS_HINTS(addr, 4 * page, 0),
			 "shared memory is skipped and not split\n");
	munmap(addr, 4 * page);
}

static void test_hint_sealed(void)
{
	char *addr = map_alone(2 * page);

	if (syscall(__NR_mseal, addr, 2 * page, 0)) {
		ksft_test_result_skip("sealed memory: no mseal\n");
		return;
	}
	ksft_test_result(hint(addr, page, word(4, 1, 0)) == 0 &&
			 HAS_HINTS(addr, 2 * page, word(4, 1, 0), 0),
			 "sealed memory takes hints\n");
}

/* Two ranges of hinted memory beside other memory, in two full scans. */
static void test_merge_hinted(const char *what, unsigned long hinted,
			      unsigned long other, uint64_t w)
{
	char *a = map_alone(2 * hinted), *b = map_alone(2 * other);
	long want = (hinted + other) / page;
	long sharing;

	fill(a, hinted, 3);
	fill(a + hinted, hinted, 3);
	fill(b, other, 4);
	fill(b + other, other, 4);
	madvise(a, 2 * hinted, MADV_MERGEABLE);
	madvise(b, 2 * other, MADV_MERGEABLE);
	hint(a, 2 * hinted, w);
	two_scans();
	sharing = ksm_read("pages_sharing");
	/* A page may be held by somebody else for a moment. */
	ksft_test_result(sharing >= want - want / 50,
			 "%s: %ld of %ld merged in two scans\n", what, sharing,
			 want);
	munmap(a, 2 * hinted);
	munmap(b, 2 * other);
}

static void test_hint_first(void)
{
	unsigned long len = 64 * page;
	char *addr = map_alone(2 * len);
	unsigned long i;
	bool same = true;

	hint(addr, 2 * len, word(12, 15, 2));
	madvise(addr, 2 * len, MADV_MERGEABLE);
	ksm_set("run", "1");
	usleep(100 * 1000);
	fill(addr, len, 5);
	fill(addr + len, len, 5);
	for (i = 0; i < PATIENCE && ksm_read("pages_sharing") < 60; i++)
		usleep(1000);
	ksft_test_result(ksm_read("pages_sharing") >= 60,
			 "hinted while empty: merged after it was filled\n");
	/* Nothing must be lost by merging, nor by writing afterwards. */
	for (i = 0; i < len; i += page)
		*(unsigned long *)(addr + i + 16) = i;
	for (i = 0; i < len; i += page)
		same = same && *(unsigned long *)(addr + i) == 5 &&
			*(unsigned long *)(addr + i + 16) == i &&
			*(unsigned long *)(addr + len + i) == 5 &&
			*(unsigned long *)(addr + len + i + 16) ==
			0x5a5a5a5a5a5a5a5aUL;
	ksft_test_result(same, "merged memory has its content, and what is written to it\n");
	munmap(addr, 2 * len);
}

static void test_switch_off(void)
{
	ksft_test_result(ksm_write("hints", "0") && !ksm_read("hints"),
			 "hints can be switched off\n");
	test_merge_hinted("hints off", 256 * page, 256 * page, word(13, 15, 2));
	ksm_set("hints", "1");
	ksft_test_result(ksm_read("hint_version") == 1, "version 1\n");
	ksft_test_result(!ksm_write("hint_share", "101") &&
			 ksm_write("hint_share", "80"), "hint_share is a percentage\n");
}

static void test_merge_now_arguments(void)
{
	char *addr = map_alone(4 * page);

	fill(addr, 4 * page, 6);
	ksm_set("run", "1");
	ksft_test_result(merge_now(addr, 4 * page, 0) == -EINVAL,
			 "merge now: memory that is not mergeable\n");
	madvise(addr, 2 * page, MADV_MERGEABLE);
	ksft_test_result(merge_now(addr, 4 * page, 0) == -EINVAL,
			 "merge now: memory of which half is mergeable\n");
	madvise(addr, 4 * page, MADV_MERGEABLE);
	ksft_test_result(merge_now(addr + 1, page, 0) == -EINVAL,
			 "merge now: an address inside of a page\n");
	ksft_test_result(merge_now(addr, page + 1, 0) == -EINVAL,
			 "merge now: a length that is not whole pages\n");
	ksft_test_result(merge_now(addr, -page, 0) == -EINVAL,
			 "merge now: a range that wraps\n");
	ksft_test_result(merge_now(addr, page, 2) == -EINVAL,
			 "merge now: an unknown flag\n");
	ksft_test_result(syscall(__NR_prctl, PR_KSM_MERGE, addr, page, 0, 1) &&
			 errno == EINVAL, "merge now: a fifth argument\n");
	ksft_test_result(merge_now(addr, 5 * page, 0) == -EINVAL,
			 "merge now: a hole\n");
	ksft_test_result(merge_now((void *)(-2 * page), page, 0) == -EINVAL,
			 "merge now: memory of the kernel\n");
	ksft_test_result(merge_now(addr, page, 1UL << 32) == -EINVAL,
			 "merge now: an unknown flag of 64 bits\n");
	ksft_test_result(merge_now(addr, 0, 0) == 0, "merge now: nothing\n");
	ksm_set("run", "0");
	ksft_test_result(merge_now(addr, page, 0) == -EBUSY,
			 "merge now: ksmd is stopped\n");
	ksm_set("run", "2");
	ksft_test_result(merge_now(addr, page, 0) == -EBUSY,
			 "merge now: ksmd has unmerged\n");
	munmap(addr, 4 * page);
}

/*
 * Stay on one CPU. Pages that were just written are held by lists of the CPU that
 * wrote them: a merge empties those of its own CPU, and ksmd those of all. What
 * another CPU still holds is not merged by one call.
 */
static void stay_on_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		ksft_exit_fail_msg("cannot stay on a CPU\n");
}

static void test_merge_now(void)
{
	unsigned long len = 1024 * page, i;
	char *addr = map_alone(2 * len);
	bool same = true;
	long pages;

	ksm_set("run", "2");
	ksm_set("pages_to_scan", "1");
	ksm_set("run", "1");
	fill(addr, len, 7);
	fill(addr + len, len / 2, 7);
	madvise(addr, 2 * len, MADV_MERGEABLE);
	pages = merge_now(addr, 2 * len, 0);
	ksft_test_result(pages == 1024 + 512,
			 "merge now: examined %ld of 1536 pages\n", pages);
	ksft_test_result(ksm_read("pages_sharing") >= 500,
			 "merge now: %ld of 512 merged\n",
			 ksm_read("pages_sharing"));
	for (i = 0; i < len / 2; i += page)
		same = same && *(unsigned long *)(addr + i + 8) == i &&
			*(unsigned long *)(addr + len + i + 8) == i;
	ksft_test_result(same, "merge now: nothing was lost\n");
	pages = merge_now(addr, 2 * len, PR_KSM_MERGE_TRY);
	ksft_test_result(pages > 0 || pages == -EAGAIN, "merge now: try only\n");
	munmap(addr, 2 * len);
}

/*
 * How many of 16 parts of 256 pages merge with those of a process of this user.
 * That one is started first, and goes on when it can read from its input: a
 * page that was shared by fork is not always merged at its first visit.
 */
static long merge_as(uid_t uid)
{
	unsigned long len = 256 * page;
	int start[2], status;
	pid_t pid;
	char *addr;

	ksm_set("run", "2");
	ksm_set("run", "1");
	if (pipe(start))
		ksft_exit_fail_msg("no pipe\n");
	pid = fork();
	if (!pid) {
		close(start[1]);
		if (dup2(start[0], 0) || setuid(uid))
			_exit(255);
		execl("/proc/self/exe", "ksm_hint_tests", "--merge", NULL);
		_exit(254);
	}
	close(start[0]);
	addr = map_alone(len);
	fill(addr, len, 8);
	madvise(addr, len, MADV_MERGEABLE);
	merge_now(addr, len, 0);
	close(start[1]);
	waitpid(pid, &status, 0);
	munmap(addr, len);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* This program as that process. */
static int merge_child(void)
{
	unsigned long len = 256 * page;
	char *addr, nothing;

	if (read(0, &nothing, 1))
		return 253;
	addr = map_alone(len);
	fill(addr, len, 8);
	madvise(addr, len, MADV_MERGEABLE);
	if (merge_now(addr, len, 0) != 256)
		return 252;
	return ksm_read("pages_sharing") / 16;
}

static void test_merge_now_users(void)
{
	long same = merge_as(0), other = merge_as(65534);

	ksft_test_result(same >= 14 && same <= 16,
			 "merge now: with memory of the same user (%ld)\n", same);
	ksft_test_result(other == 0,
			 "merge now: not with memory of another user (%ld)\n", other);
	ksm_set("merge_now_scope", "system");
	other = merge_as(65534);
	ksft_test_result(other >= 14 && other <= 16,
			 "merge now: of all users if root wants it (%ld)\n", other);
	ksm_set("merge_now_scope", "user");
}

#define KPF_KSM 21

/* Does /proc/kpageflags say that this page is merged? -1 if it says nothing. */
static int flagged_merged(const char *addr)
{
	uint64_t entry = 0, flags = 0;
	int map = open("/proc/self/pagemap", O_RDONLY);
	int pages = open("/proc/kpageflags", O_RDONLY);
	bool read_both;

	read_both = pread(map, &entry, 8, (uintptr_t)addr / page * 8) == 8 &&
		pread(pages, &flags, 8, (entry & ((1ULL << 55) - 1)) * 8) == 8;
	close(map);
	close(pages);
	return read_both ? flags >> KPF_KSM & 1 : -1;
}

static void test_page_flags(void)
{
	unsigned long len = 2 * page;
	char *addr = map_alone(len), *plain = map_alone(page);

	fill(plain, page, 52);
	memset(addr, 53, len);
	madvise(addr, len, MADV_MERGEABLE);
	merge_all(1);
	ksft_test_result(flagged_merged(addr) == 1 && flagged_merged(plain) == 0,
			 "flags: only what is merged is said to be\n");
	munmap(addr, len);
	munmap(plain, page);
}

/* The nodes of KSM pages that were freed go, though nothing like them is sought. */
static void test_freed_nodes(void)
{
	unsigned long len = 64 * page;
	char *addr = map_alone(len), *other = map_alone(page);
	long dups, left;

	ksm_set("run", "2");
	ksm_set("max_page_sharing", "2");
	ksm_set("stable_node_chains_prune_millisecs", "0");
	fill(other, page, 50);
	madvise(other, page, MADV_MERGEABLE);
	memset(addr, 51, len);
	madvise(addr, len, MADV_MERGEABLE);
	two_scans();
	dups = ksm_read("stable_node_dups");
	munmap(addr, len);
	wait_scans(2);
	left = ksm_read("stable_node_dups") + ksm_read("stable_node_chains");
	ksft_test_result(dups >= 16 && !left,
			 "freed: %ld nodes of one content, %ld left\n", dups, left);
	munmap(other, page);
	ksm_set("run", "2");
	ksm_set("max_page_sharing", "256");
	ksm_set("stable_node_chains_prune_millisecs", "2000");
}

/* Wrong values are refused, and leave the old one. */
static void test_sysfs_wrong(void)
{
	const char * const wrong[][2] = {
		{ "hints", "2" }, { "hints", "-1" }, { "hints", "maybe" },
		{ "hint_share", "101" }, { "hint_share", "-1" },
		{ "hint_share", "80x" }, { "hint_share", "" },
		{ "hint_share", "4294967376" },
		{ "hint_version", "2" }, { "peer_shift", "9" },
		{ "merge_now_scope", "all" }, { "merge_now_scope", "" },
		{ "merge_now_scope", "system user" },
	};
	char before[64], after[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		ksm_text(wrong[i][0], before, sizeof(before));
		ksft_test_result(!ksm_write(wrong[i][0], wrong[i][1]) &&
				 !strcmp(ksm_text(wrong[i][0], after, sizeof(after)),
					 before),
				 "%s does not take '%s'\n", wrong[i][0], wrong[i][1]);
	}
}

int main(int argc, char **argv)
{
	page = getpagesize();
	if (argc > 1 && !strcmp(argv[1], "--merge"))
		return merge_child();

	begin(72);
	test_hint_arguments();
	test_hint_holes();
	test_hint_never_mergeable();
	test_hint_sealed();
	test_merge_hinted("hinted, settled", 512 * page, 512 * page, word(11, 15, 2));
	test_merge_hinted("hinted", 512 * page, 512 * page, word(11, 1, 0));
	test_merge_hinted("much hinted", 32 * MIB, MIB / 4, word(11, 15, 0));
	test_merge_hinted("little hinted", MIB / 4, 32 * MIB, word(11, 15, 0));
	test_merge_hinted("priority 0", MIB, MIB, word(11, 0, 0));
	test_hint_first();
	test_switch_off();
	test_merge_now_arguments();
	stay_on_cpu();
	test_merge_now();
	test_merge_now_users();
	test_page_flags();
	test_freed_nodes();
	test_sysfs_wrong();
	test_nothing_left();
	end();
}
