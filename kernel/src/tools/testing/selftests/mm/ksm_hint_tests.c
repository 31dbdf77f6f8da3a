// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the hints to KSM, prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT), and of
 * merging on request, prctl(PR_KSM_MERGE): the error for each wrong argument,
 * what the VMAs do with a hint, and what is merged. Run as root: ksmd is
 * stopped and started, and left stopped with nothing merged.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#ifndef PR_SET_VMA_KSM_HINT
#define PR_SET_VMA_KSM_HINT 0x4b53
#endif
#ifndef PR_KSM_MERGE
#define PR_KSM_MERGE 0x4b534d47
#define PR_KSM_MERGE_TRY 1
#endif
#ifndef __NR_mseal
#define __NR_mseal 462
#endif

#define KSM "/sys/kernel/mm/ksm/"
#define MIB (1024 * 1024UL)

static unsigned long page;

static uint64_t word(uint64_t site, uint64_t priority, uint64_t stability)
{
	return site | priority << 48 | stability << 52;
}

static int hint(void *addr, unsigned long len, uint64_t value)
{
	return prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT, addr, len, value) ?
		errno : 0;
}

static long merge_now(void *addr, unsigned long len, unsigned long flags)
{
	/* prctl() of the C library returns an int. */
	long ret = syscall(__NR_prctl, PR_KSM_MERGE, addr, len, flags, 0);

	return ret < 0 ? -errno : ret;
}

static long ksm_read(const char *name)
{
	char path[256], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), KSM "%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		ksft_exit_fail_msg("cannot read %s\n", path);
	close(fd);
	return atol(text);
}

static bool ksm_write(const char *name, const char *value)
{
	char path[256];
	bool done;
	int fd;

	snprintf(path, sizeof(path), KSM "%s", name);
	fd = open(path, O_WRONLY);
	done = fd >= 0 && write(fd, value, strlen(value)) > 0;
	if (fd >= 0)
		close(fd);
	return done;
}

static void ksm_set(const char *name, const char *value)
{
	if (!ksm_write(name, value))
		ksft_exit_fail_msg("cannot write %s to %s%s\n", value, KSM, name);
}

/* Let ksmd go through everything twice, from a state with nothing merged. */
static void two_scans(void)
{
	long scans;
	int wait = 60 * 1000;

	ksm_set("run", "2");
	ksm_set("run", "1");
	scans = ksm_read("full_scans");
	while (ksm_read("full_scans") < scans + 2 && wait--)
		usleep(1000);
	if (wait < 0)
		ksft_exit_fail_msg("ksmd did not come round in 60 s\n");
}

static char *map(unsigned long len)
{
	char *addr = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (addr == MAP_FAILED)
		ksft_exit_fail_msg("mmap of %lu bytes failed\n", len);
	return addr;
}

/* Memory with a hole on both sides, so that its VMAs merge with no others. */
static char *map_alone(unsigned long len)
{
	char *addr = map(len + 2 * page);

	munmap(addr, page);
	munmap(addr + page + len, page);
	return addr + page;
}

/* Each page has a content of its own, which depends on seed. */
static void fill(char *addr, unsigned long len, unsigned long seed)
{
	unsigned long i;

	for (i = 0; i < len; i += page) {
		memset(addr + i, 0x5a, page);
		*(unsigned long *)(addr + i) = seed;
		*(unsigned long *)(addr + i + 8) = i;
	}
}

/* The hints of the VMAs between start and end, up to max of them. */
static int hints(pid_t pid, char *start, char *end, uint64_t *values, int max)
{
	unsigned long from, to;
	bool inside = false;
	char line[512];
	int count = 0;
	FILE *smaps;

	snprintf(line, sizeof(line), "/proc/%d/smaps", pid);
	smaps = fopen(line, "r");
	if (!smaps)
		ksft_exit_fail_msg("cannot read %s\n", line);
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
			inside = from < (unsigned long)end &&
				 to > (unsigned long)start;
			if (inside && count < max)
				values[count++] = 0;
		} else if (inside && !strncmp(line, "KsmHint:", 8)) {
			values[count - 1] = strtoull(line + 8, NULL, 0);
		}
	}
	fclose(smaps);
	return count;
}

/* Are there as many VMAs, with these hints? The list ends with UINT64_MAX. */
static bool has_hints(pid_t pid, char *start, unsigned long len,
		      const uint64_t *wanted)
{
	uint64_t found[16];
	int count, i;

	count = hints(pid, start, start + len, found, 16);
	for (i = 0; i < count; i++) {
		if (wanted[i] == UINT64_MAX || wanted[i] != found[i])
			break;
	}
	if (i == count && wanted[i] == UINT64_MAX)
		return true;
	for (i = 0; i < count; i++)
		ksft_print_msg("VMA %d: %#llx\n", i,
			       (unsigned long long)found[i]);
	return false;
}

#define HAS_HINTS(addr, len, ...) \
	has_hints(getpid(), addr, len, \
		  (const uint64_t[]){ __VA_ARGS__, UINT64_MAX })

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

static void test_vma_exec(void)
{
	char *addr = map_alone(page);
	int status;
	pid_t pid;

	hint(addr, page, word(10, 3, 0));
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "ksm_hint_tests", "--no-hint", NULL);
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
	for (i = 0; i < 2000 && ksm_read("pages_sharing") < 60; i++)
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
	ksft_test_result(merge_now(addr, 0, 0) == 0, "merge now: nothing\n");
	ksm_set("run", "0");
	ksft_test_result(merge_now(addr, page, 0) == -EBUSY,
			 "merge now: ksmd is stopped\n");
	munmap(addr, 4 * page);
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

struct site {
	unsigned long site, priority, stability, vm_pages, merged, unshared,
		      unstable, saved, scanned, zero, cow_broken, skipped;
};

/* The row of a site in /proc/self/ksm_sites; what all sites save, if wanted. */
static bool site_row(unsigned long site, struct site *row, unsigned long *saved)
{
	FILE *file = fopen("/proc/self/ksm_sites", "r");
	char line[512];
	bool found = false;
	struct site r;

	if (!file)
		ksft_exit_fail_msg("cannot read /proc/self/ksm_sites\n");
	if (saved)
		*saved = 0;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu",
			   &r.site, &r.priority, &r.stability, &r.vm_pages,
			   &r.merged, &r.unshared, &r.unstable, &r.saved,
			   &r.scanned, &r.zero, &r.cow_broken, &r.skipped) != 12)
			continue;
		if (saved)
			*saved += r.saved;
		if (r.site == site) {
			*row = r;
			found = true;
		}
	}
	fclose(file);
	return found;
}

static void wait_scans(int scans)
{
	long until = ksm_read("full_scans") + scans;
	int wait = 60 * 1000;

	while (ksm_read("full_scans") < until && wait--)
		usleep(1000);
}

static void test_sites(void)
{
	unsigned long len = 256 * page, i, saved;
	char *a = map_alone(2 * len), *b = map_alone(len), *c = map_alone(len);
	struct site row = {};

	ksm_set("pages_to_scan", "10000");
	ksm_set("run", "2");
	fill(a, len, 21);
	fill(a + len, len, 21);
	fill(b, len, 22);
	fill(c, len, 21);
	madvise(a, 2 * len, MADV_MERGEABLE);
	madvise(b, len, MADV_MERGEABLE);
	madvise(c, len, MADV_MERGEABLE);
	hint(a, 2 * len, word(21, 9, 2));
	hint(b, len, word(22, 3, 0));
	ksft_test_result(site_row(21, &row, NULL) && row.vm_pages == 512 &&
			 row.priority == 9 && row.stability == 2 && !row.merged,
			 "sites: a row before anything was scanned\n");
	two_scans();
	site_row(21, &row, &saved);
	ksft_test_result(row.merged == 512 && row.vm_pages == 512 &&
			 row.scanned >= 512, "sites: %lu of 512 merged\n", row.merged);
	ksft_test_result(saved == (unsigned long)ksm_read("pages_sharing") &&
			 saved == 512, "sites: what all of them save, %lu, is pages_sharing\n",
			 saved);
	ksft_test_result(site_row(22, &row, NULL) && !row.merged && !row.saved &&
			 row.unshared + row.unstable == 256, "sites: nothing merged of another\n");

	/* Whoever pays, it is paid for when he leaves. */
	munmap(c, len);
	wait_scans(3);
	site_row(21, &row, &saved);
	ksft_test_result(row.saved == 256 && saved == 256 &&
			 ksm_read("pages_sharing") == 256,
			 "sites: %lu saved after others have left\n", row.saved);

	for (i = 0; i < 10; i++)
		a[i * page + 100] = i + 1;
	wait_scans(3);
	site_row(21, &row, NULL);
	ksft_test_result(row.cow_broken == 10 && row.saved == 246,
			 "sites: %lu of 10 merges found broken\n", row.cow_broken);

	hint(a, len, word(23, 1, 0));
	wait_scans(3);
	site_row(23, &row, NULL);
	ksft_test_result(row.merged == 246 && row.vm_pages == 256 &&
			 site_row(21, &row, NULL) && row.vm_pages == 256,
			 "sites: a new hint moves what is counted\n");

	munmap(b, len);
	wait_scans(4);
	ksft_test_result(!site_row(22, &row, NULL),
			 "sites: a row goes after its last VMA\n");
	munmap(a, 2 * len);
}

static void test_nothing_left(void)
{
	int wait = 5000;

	ksm_set("pages_to_scan", "10000");
	ksm_set("run", "2");
	ksm_set("run", "1");
	while (wait-- && (ksm_read("pages_shared") || ksm_read("pages_sharing") ||
			  ksm_read("pages_unshared") ||
			  ksm_read("pages_volatile")))
		usleep(1000);
	ksft_test_result(wait > 0, "all counters return to zero\n");
	ksm_set("run", "2");
	ksm_set("pages_to_scan", "100");
}

int main(int argc, char **argv)
{
	page = getpagesize();
	if (argc > 1 && !strcmp(argv[1], "--no-hint"))
		return has_no_hint();
	if (argc > 1 && !strcmp(argv[1], "--merge"))
		return merge_child();

	ksft_print_header();
	if (hint(NULL, 0, 0))
		ksft_exit_skip("this kernel knows no hints\n");
	if (geteuid() || access(KSM "run", W_OK))
		ksft_exit_skip("must be run as root\n");
	ksft_set_plan(76);

	ksm_set("run", "2");
	ksm_set("pages_to_scan", "10000");
	ksm_set("smart_scan", "1");

	test_hint_arguments();
	test_hint_holes();
	test_hint_never_mergeable();
	test_hint_sealed();
	test_hint_vma_limit();
	test_vma_split_merge();
	test_vma_mremap();
	test_vma_brk();
	test_vma_fork();
	test_vma_exec();
	test_merge_hinted("hinted, settled", 512 * page, 512 * page, word(11, 15, 2));
	test_merge_hinted("hinted", 512 * page, 512 * page, word(11, 1, 0));
	test_merge_hinted("much hinted", 32 * MIB, MIB / 4, word(11, 15, 0));
	test_merge_hinted("little hinted", MIB / 4, 32 * MIB, word(11, 15, 0));
	test_merge_hinted("priority 0", MIB, MIB, word(11, 0, 0));
	test_hint_first();
	test_switch_off();
	test_merge_now_arguments();
	test_merge_now();
	test_merge_now_users();
	test_sites();
	test_nothing_left();
	ksft_finished();
}
