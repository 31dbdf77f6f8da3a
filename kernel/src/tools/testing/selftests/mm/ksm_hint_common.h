/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of hints to KSM share: the two prctls, the settings of KSM, the
 * hints of VMAs and the counters of sites. Included once by each program.
 */
#ifndef KSM_HINT_COMMON_H
#define KSM_HINT_COMMON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
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

/*
 * How long to wait, in milliseconds, for what takes a moment: only what never
 * comes is given up, however slow and busy the machine is.
 */
#define PATIENCE (300 * 1000)

static unsigned long page;

static inline uint64_t word(uint64_t site, uint64_t priority, uint64_t stability)
{
	return site | priority << 48 | stability << 52;
}

static inline int hint(void *addr, unsigned long len, uint64_t value)
{
	if (prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT, addr, len, value))
		return errno;
	return 0;
}

static inline long merge_now(void *addr, unsigned long len, unsigned long flags)
{
	/* prctl() of the C library returns an int. */
	long ret = syscall(__NR_prctl, PR_KSM_MERGE, addr, len, flags, 0);

	return ret < 0 ? -errno : ret;
}

static inline char *ksm_text(const char *name, char *text, size_t size)
{
	char path[256];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), KSM "%s", name);
	fd = open(path, O_RDONLY);
	len = fd < 0 ? -1 : read(fd, text, size - 1);
	if (len < 0)
		ksft_exit_fail_msg("cannot read %s\n", path);
	close(fd);
	text[len] = '\0';
	return text;
}

static inline long ksm_read(const char *name)
{
	char text[64];

	return atol(ksm_text(name, text, sizeof(text)));
}

static inline bool ksm_write(const char *name, const char *value)
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

static inline void ksm_set(const char *name, const char *value)
{
	if (!ksm_write(name, value))
		ksft_exit_fail_msg("cannot write %s to %s%s\n", value, KSM, name);
}

/* Wait until ksmd has completed so many full scans. */
static inline void wait_scans(int scans)
{
	long until = ksm_read("full_scans") + scans;
	int wait = PATIENCE;

	while (ksm_read("full_scans") < until && wait--)
		usleep(1000);
	if (wait < 0)
		ksft_exit_fail_msg("ksmd did not come round in %d s\n",
				   PATIENCE / 1000);
}

/* Let ksmd go through everything twice, from a state with nothing merged. */
static inline void two_scans(void)
{
	ksm_set("run", "2");
	ksm_set("run", "1");
	wait_scans(2);
}

/*
 * Let ksmd merge so many pages that are equal to others. Two scans are enough,
 * unless a page is held by somebody else for a moment: it is merged later then,
 * and smart_scan may leave it out of some scans before.
 */
static inline void merge_all(long sharing)
{
	int scans = 30;

	two_scans();
	while (ksm_read("pages_sharing") < sharing && scans--)
		wait_scans(1);
}

/* Wait until a process of the test has written that it is ready. */
static inline void wait_byte(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		ksft_exit_fail_msg("a process of the test has ended\n");
}

static inline char *map(unsigned long len)
{
	char *addr = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (addr == MAP_FAILED)
		ksft_exit_fail_msg("mmap of %lu bytes failed\n", len);
	return addr;
}

/* Memory with a hole on both sides, so that its VMAs merge with no others. */
static inline char *map_alone(unsigned long len)
{
	char *addr = map(len + 2 * page);

	munmap(addr, page);
	munmap(addr + page + len, page);
	return addr + page;
}

/* Each page has a content of its own, which depends on seed. */
static inline void fill(char *addr, unsigned long len, unsigned long seed)
{
	unsigned long i;

	for (i = 0; i < len; i += page) {
		memset(addr + i, 0x5a, page);
		*(unsigned long *)(addr + i) = seed;
		*(unsigned long *)(addr + i + 8) = i;
	}
}

/* The hints of the VMAs between start and end, up to max of them. */
static inline int hints(pid_t pid, char *start, char *end, uint64_t *values, int max)
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
static inline bool has_hints(pid_t pid, char *start, unsigned long len,
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

struct site {
	unsigned long site, priority, stability, vm_pages, merged, unshared,
		      unstable, saved, scanned, zero, cow_broken, skipped;
};

/* The row of a site in /proc/self/ksm_sites; what all sites save, if wanted. */
static inline bool site_row(unsigned long site, struct site *row, unsigned long *saved)
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

/* A counter of a site in a table of sites, found by its column; -1 if not there. */
static inline long site_value(const char *path, unsigned long site,
			      const char *column)
{
	char line[1024], *word, *save;
	int wanted = -1, i;
	long value = -1;
	FILE *file;

	file = fopen(path, "r");
	if (!file)
		return -1;
	if (fgets(line, sizeof(line), file)) {
		word = strtok_r(line, "\n ", &save);
		for (i = 0; word; i++, word = strtok_r(NULL, "\n ", &save)) {
			if (!strcmp(word, column))
				wanted = i;
		}
	}
	while (wanted >= 0 && fgets(line, sizeof(line), file)) {
		if (strtoul(line, NULL, 10) != site || line[0] == '#')
			continue;
		word = strtok_r(line, "\n ", &save);
		for (i = 0; word && i < wanted; i++)
			word = strtok_r(NULL, "\n ", &save);
		if (word)
			value = atol(word);
	}
	fclose(file);
	return value;
}

static inline long own_site(unsigned long site, const char *column)
{
	return site_value("/proc/self/ksm_sites", site, column);
}

/* Skip all tests if they cannot run here; then plan so many of them. */
static inline void begin(unsigned int tests)
{
	page = getpagesize();
	ksft_print_header();
	if (hint(NULL, 0, 0))
		ksft_exit_skip("this kernel knows no hints\n");
	if (geteuid() || access(KSM "run", W_OK))
		ksft_exit_skip("must be run as root\n");
	ksft_set_plan(tests);

	ksm_set("run", "2");
	ksm_set("pages_to_scan", "10000");
	ksm_set("smart_scan", "1");
}

/* When nothing is mergeable any more, no page is counted any more. */
static inline void test_nothing_left(void)
{
	int wait = PATIENCE;

	ksm_set("pages_to_scan", "10000");
	ksm_set("run", "2");
	ksm_set("run", "1");
	while (wait-- && (ksm_read("pages_shared") || ksm_read("pages_sharing") ||
			  ksm_read("pages_unshared") ||
			  ksm_read("pages_volatile")))
		usleep(1000);
	ksft_test_result(wait > 0, "all counters return to zero\n");
}

/* Leave nothing merged, and the settings that a kernel starts with. */
static inline void end(void)
{
	ksm_set("run", "2");
	ksm_set("pages_to_scan", "100");
	ksm_set("sleep_millisecs", "20");
	ksft_finished();
}

#endif /* KSM_HINT_COMMON_H */
