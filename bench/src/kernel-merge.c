/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel-merge CASE PAGES_TO_SCAN: one case of bench/kernel, run inside a guest as root.
 *
 * Two processes, each with memory that is unique and memory that is equal in both, mergeable,
 * the unique part at the lower address. Prints the seconds until 95 % of the equal part is
 * merged, counted from when KSM starts (or, for late-fill, from the last write); what ksmd and
 * requests for merging took of the CPU until then; how many pages the kernel examined, which
 * does not vary with the load of the machine; and what share was merged when, in points of
 * seconds and percent:
 *
 *   seconds 1.234
 *   cpu 0.567
 *   pages 12345
 *   series 0.020,0.0 0.040,12.5
 *
 * For merged-again, CPU and pages are those of 2 s after that, in which ksmd visits merged memory.
 *
 * A kernel that does not know hints or merging on request ignores them here; what is measured
 * then is what such a program gets there.
 */
#include "guest.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define MIB (1024 * 1024UL)
#define PROCESSES 2
#define LIMIT_SECONDS 300
#define AGAIN_SECONDS 2

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#define PR_SET_VMA_KSM_HINT 0x4b53
#define PR_KSM_MERGE 0x4b534d47
#define HINT(site, priority, stability) ((uint64_t)(site) | (uint64_t)(priority) << 48 | (uint64_t)(stability) << 52)

struct scenario {
	const char *name;
	unsigned long unique_mib, equal_mib;
	uint64_t unique_hint, equal_hint;	/* 0: none */
	bool late;		/* the equal part is written when KSM runs already, at 50 MiB/s */
	bool request;		/* without hints, each process asks for its equal part to be merged */
	bool late_words;	/* pages differ in their last words, not in their first */
	bool again;		/* what counts is ksmd's further visits, when all is merged */
};

static const struct scenario scenarios[] = {
	{ .name = "needle", .unique_mib = 1024, .equal_mib = 32, .equal_hint = HINT(1, 8, 0) },
	{ .name = "needle-settled", .unique_mib = 1024, .equal_mib = 32, .equal_hint = HINT(1, 8, 2) },
	{ .name = "late-fill", .unique_mib = 512, .equal_mib = 32, .equal_hint = HINT(1, 8, 0), .late = true },
	{ .name = "merge-now", .unique_mib = 1024, .equal_mib = 32, .request = true },
	{ .name = "no-hint", .unique_mib = 256, .equal_mib = 256 },
	{ .name = "no-hint-prefix", .unique_mib = 256, .equal_mib = 256, .late_words = true },
	{ .name = "merged-again", .equal_mib = 128, .again = true },
	{ .name = "wrong-hint-small", .unique_mib = 32, .equal_mib = 512, .unique_hint = HINT(1, 15, 0) },
	{ .name = "wrong-hint-large", .unique_mib = 1024, .equal_mib = 32, .unique_hint = HINT(1, 15, 0) },
	{ .name = "flat-0", .unique_mib = 0, .equal_mib = 32, .equal_hint = HINT(1, 8, 0) },
	{ .name = "flat-256", .unique_mib = 256, .equal_mib = 32, .equal_hint = HINT(1, 8, 0) },
	{ .name = "flat-1024", .unique_mib = 1024, .equal_mib = 32, .equal_hint = HINT(1, 8, 0) },
};

/* What the processes tell each other. */
struct shared {
	volatile int ready, filled;
	volatile bool start;
	volatile double request_seconds[PROCESSES];	/* CPU time of the requests */
};

/* What is merged is looked at this often: a share for each point of the series. */
#define POINTS_MAX 4096
#define POINT_SECONDS 0.02

struct point {
	double seconds, percent;
};

static struct point points[POINTS_MAX];
static int point_count;

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double ksmd_seconds(int pid)
{
	char path[64], text[4096], *line;

	snprintf(path, sizeof(path), "/proc/%d/sched", pid);
	if (!read_text(path, text, sizeof(text)))
		die(path);
	line = strstr(text, "se.sum_exec_runtime");
	line = line ? strchr(line, ':') : NULL;
	return line ? strtod(line + 1, NULL) / 1000 : 0;
}

static unsigned long read_number(const char *path)
{
	char text[32];

	return read_text(path, text, sizeof(text)) ? strtoul(text, NULL, 10) : 0;
}

static unsigned long pages_scanned(void)
{
	return read_number("/sys/kernel/mm/ksm/pages_scanned");
}

static unsigned long full_scans(void)
{
	return read_number("/sys/kernel/mm/ksm/full_scans");
}

static unsigned long merged_pages(const pid_t *pids)
{
	unsigned long sum = 0;
	char path[64];
	int i;

	for (i = 0; i < PROCESSES; i++) {
		snprintf(path, sizeof(path), "/proc/%d/ksm_merging_pages", pids[i]);
		sum += read_number(path);
	}
	return sum;
}

/* Where the parts lie, so that the unique one comes first on every kernel, whichever way it maps. */
#define PLACE 0x1000000000UL

/* @populate: without a fault for each page, which takes a guest much longer than to write it. */
static char *map(unsigned long offset_mib, unsigned long mib, uint64_t hint, bool populate)
{
	char *at = (char *)(PLACE + offset_mib * MIB);

	if (!mib)
		return NULL;
	if (mmap(at, mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE |
		 (populate ? MAP_POPULATE : 0), -1, 0) != at)
		die("mmap");
	if (madvise(at, mib * MIB, MADV_MERGEABLE))
		die("madvise");
	if (hint)
		prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT, at, mib * MIB, hint);
	return at;
}

/*
 * Each page differs from the others in its first words, as most real pages do, or in its last ones.
 * @mib_per_second: not faster than this, if not 0
 */
static void fill(const struct scenario *s, char *at, unsigned long mib, uint64_t seed, double mib_per_second)
{
	unsigned long i, differs = s->late_words ? PAGE / sizeof(uint64_t) - 2 : 0;
	double begin = now();

	for (i = 0; i < mib * MIB; i += PAGE) {
		uint64_t *words = (uint64_t *)(at + i);

		memset(words, 0x5a, PAGE);
		words[differs] = seed;
		words[differs + 1] = i * 0x9e3779b97f4a7c15ULL;
		if (mib_per_second && !(i % MIB))
			while (now() < begin + i / (double)MIB / mib_per_second)
				usleep(1000);
	}
}

static void work(const struct scenario *s, struct shared *shared, int number)
{
	char *unique = map(0, s->unique_mib, s->unique_hint, true);
	char *equal = map(s->unique_mib + 2, s->equal_mib, s->equal_hint, !s->late);

	fill(s, unique, s->unique_mib, 1000 + number, 0);
	if (!s->late)
		fill(s, equal, s->equal_mib, 1, 0);
	__sync_fetch_and_add(&shared->ready, 1);
	while (!shared->start)
		usleep(1000);
	if (s->late)
		fill(s, equal, s->equal_mib, 1, 50);
	if (s->request) {
		double begin = cpu_seconds();

		prctl(PR_KSM_MERGE, equal, s->equal_mib * MIB, 0, 0);
		shared->request_seconds[number] = cpu_seconds() - begin;
	}
	__sync_fetch_and_add(&shared->filled, 1);
	for (;;)
		pause();
}

/*
 * A guest's memory is the host's, which clears each part of it when the guest touches it first. That
 * takes more time than KSM needs to use it, and is no part of KSM: so touch it before, as much as the
 * case needs and what the kernel needs for it. What is freed last is what the guest uses next.
 */
static void touch_memory(const struct scenario *s)
{
	unsigned long mib = PROCESSES * (s->unique_mib + s->equal_mib) + 256;
	pid_t pid = fork();

	if (!pid) {
		if (mmap(NULL, mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
			die("mmap");
		_exit(0);
	}
	if (waitpid(pid, NULL, 0) != pid)
		die("waitpid");
}

static const struct scenario *find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (!strcmp(scenarios[i].name, name))
			return &scenarios[i];
	fprintf(stderr, "no case '%s'\n", name);
	exit(2);
}

/* The last point is always kept: it says when the case ended. */
static void add_point(double seconds, unsigned long merged, const struct scenario *s, bool last)
{
	double wanted = s->equal_mib * MIB / PAGE * PROCESSES;

	if (point_count == POINTS_MAX)
		return;
	if (!last && point_count && seconds - points[point_count - 1].seconds < POINT_SECONDS)
		return;
	points[point_count].seconds = seconds;
	points[point_count++].percent = merged * 100 / wanted;
}

/* Returns the seconds from now, or from the last write, or -1 after LIMIT_SECONDS. */
static double wait_for_merge(const struct scenario *s, const struct shared *shared, const pid_t *pids)
{
	unsigned long wanted = s->equal_mib * MIB / PAGE * PROCESSES * 95 / 100, merged;
	double begin = now();

	if (s->late) {
		while (shared->filled < PROCESSES)
			usleep(1000);
		begin = now();
	}
	for (;;) {
		double seconds = now() - begin;

		merged = merged_pages(pids);
		add_point(seconds, merged, s, merged >= wanted);
		if (merged >= wanted)
			return seconds;
		if (seconds > LIMIT_SECONDS)
			return -1;
		usleep(5000);
	}
}

/* Lets ksmd merge the rest, and waits for what is to be measured from now on. */
static void wait_for_rest(void)
{
	unsigned long wanted = full_scans() + 3;

	while (full_scans() < wanted)
		usleep(5000);
}

static void print(double seconds, double cpu, unsigned long pages)
{
	int i;

	printf("seconds %.4f\ncpu %.4f\npages %lu\nseries", seconds, cpu, pages);
	for (i = 0; i < point_count; i++)
		printf(" %.3f,%.2f", points[i].seconds, points[i].percent);
	printf("\n");
}

int main(int argc, char **argv)
{
	struct shared *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct scenario *s;
	pid_t pids[PROCESSES];
	unsigned long pages;
	double cpu, seconds;
	int i, ksmd;

	if (argc != 3) {
		fprintf(stderr, "usage: kernel-merge CASE PAGES_TO_SCAN\n");
		return 2;
	}
	s = find(argv[1]);
	ksmd = find_ksmd();
	write_ksm("pages_to_scan", argv[2]);
	touch_memory(s);
	for (i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (!pids[i])
			work(s, shared, i);
	}
	while (shared->ready < PROCESSES)
		usleep(1000);
	cpu = ksmd_seconds(ksmd);
	pages = pages_scanned();
	write_ksm("run", "1");
	shared->start = true;
	seconds = wait_for_merge(s, shared, pids);
	while (s->request && shared->filled < PROCESSES)
		usleep(1000);
	if (s->again) {
		wait_for_rest();
		cpu = ksmd_seconds(ksmd);
		pages = pages_scanned();
		sleep(AGAIN_SECONDS);
	}
	cpu = ksmd_seconds(ksmd) - cpu;
	pages = pages_scanned() - pages;
	for (i = 0; i < PROCESSES; i++) {
		cpu += shared->request_seconds[i];
		kill(pids[i], SIGKILL);
	}
	print(seconds, cpu, pages);
	return seconds < 0;
}
