/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel-engine WORKLOAD MIB SECONDS PAGES_TO_SCAN [KNOB=VALUE...]: one cell of bench/engine, run
 * inside a guest as root.
 *
 * Four processes have so many MiB of mergeable memory each at the same address, hinted as one site
 * that has peers. KNOBs are files of /sys/kernel/mm/ksm, written before anything is mapped; "hint=N"
 * is the stability of the hint (0 to 2), "none" for no hint at all, or "file" for settled memory that
 * is hinted to come from one file, and is at another address in each process. KSM runs for so many
 * seconds:
 *
 *   static     half of each is equal in all processes, the other half is unique; none is written
 *   prefix     the same, but pages differ in their last words only
 *   unlike     the same, but pages differ in all of their words
 *   zero       three quarters are empty, an eighth is equal, an eighth unique
 *   bursty     as static, but every 4 s a quarter of the equal part is written anew, equal again
 *   rewriting  as static, but half of the equal part is written anew every second, equal again
 *   sites      an eighth is equal, the rest is unique, and hinted as another site
 *   late       the same without the other site; the equal part is written when a quarter of the time is over
 *   part       an eighth is equal, half of that is written anew every second; the rest is unique, and not hinted
 *   equal      all is equal
 *   unique     nothing is
 *
 * Prints what was saved in MiB at the end, the integral of that over time in MiB x s (by the memory that the guest's
 * programs still take, for the engine's own counts take a broken merge for one until the next visit), the CPU time of
 * ksmd in seconds, the pages that it has visited, how many merged pages were written to, and so copied (by what the
 * kernel says of each page before, for not each kernel counts that), the seconds until 95 % of what could be saved was
 * saved (-1: never) and the CPU time until then, CPU time by stage where the kernel knows it, and points of seconds and
 * MiB:
 *
 *   saved 96.0
 *   integral 850.2
 *   cpu 0.512
 *   scanned 123456
 *   broken 0
 *   until 1.24
 *   until_cpu 0.102
 *   stages walk,hash,lookup,compare,merge (in microseconds)
 *   series 0.050,0.0 0.100,12.5
 */
#include "guest.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096UL
#define MIB (1024 * 1024UL)
#define PROCESSES 4
/* What the memory of a process is divided into. */
#define PARTS 16
/* The same in all processes. */
#define PLACE ((char *)0x1000000000UL)
/* Of an entry of pagemap and of kpageflags. */
#define PRESENT (1ULL << 63)
#define FRAME ((1ULL << 55) - 1)
#define FLAG_KSM 21
/* How often is looked at what is saved, and how often that becomes a point of the series. */
#define LOOK_SECONDS 0.01
#define POINT_SECONDS 0.05
#define POINTS_MAX 4096

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#define PR_SET_VMA_KSM_HINT 0x4b53
#define SITE 1ULL
#define OTHER_SITE 2ULL
#define PRIORITY (8ULL << 48)
#define PEERS (1ULL << 54)
#define SETTLED (2ULL << 52)
/* Of a file whose hash is 1; the low bits are how far it is behind the memory, in pages. */
#define FROM_FILE (1ULL << 55 | 1ULL << 18)
#define OTHER_FILE (1ULL << 19)
#define PLACES (1UL << 18)

struct workload {
	const char *name;
	unsigned int empty, equal;	/* sixteenths of the memory; the rest is unique */
	unsigned int written;		/* sixteenths that are written again and again */
	double period;			/* so often, in seconds */
	bool late_words;		/* pages differ in their last words, not in their first */
	bool two_sites;			/* what is unique is hinted as another site */
	bool unhinted;			/* what is unique is not hinted */
	bool late;			/* what is equal is written when a quarter of the time is over */
	bool all_words;			/* pages differ in all of their words */
};

static const struct workload workloads[] = {
	{ .name = "static", .equal = 8 },
	{ .name = "prefix", .equal = 8, .late_words = true },
	{ .name = "unlike", .equal = 8, .all_words = true },
	{ .name = "zero", .empty = 12, .equal = 2 },
	{ .name = "bursty", .equal = 8, .written = 2, .period = 4 },
	{ .name = "rewriting", .equal = 8, .written = 4, .period = 1 },
	{ .name = "sites", .equal = 2, .two_sites = true },
	{ .name = "late", .equal = 2, .late = true },
	{ .name = "part", .equal = 2, .written = 1, .period = 1, .unhinted = true },
	{ .name = "equal", .equal = PARTS },
	{ .name = "unique", .all_words = true },
};

struct shared {
	volatile int ready;
	volatile bool start;
	volatile unsigned long later;	/* bytes that were written to first after the start */
	volatile unsigned long broken;	/* pages that were merged when they were written to */
};

struct point {
	double seconds, mib;
};

static struct point points[POINTS_MAX];
static int point_count;
static uint64_t hint = SITE | PRIORITY | PEERS;
/* The memory is at other places in each process, and hinted to come from the same one of a file. */
static bool by_file;

/* What the programs' pages take. Some of the count is kept by processor until this is written to, where there are several. */
static double taken_mib(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY);

	if (fd >= 0 && write(fd, "1", 1) < 0)
		die("stat_refresh");
	if (fd >= 0)
		close(fd);
	return read_line("/proc/meminfo", "AnonPages") / 1024;
}

/* @before is what they took when nothing was merged. */
static double saved_mib(double before, const struct shared *shared)
{
	double saved = before + (double)shared->later / MIB - taken_mib();

	/* What is being written is not in it yet. */
	return saved > 0 ? saved : 0;
}

static void fill(const struct workload *w, char *at, unsigned long bytes, uint64_t seed)
{
	unsigned long i, j, differs = w->late_words ? PAGE / sizeof(uint64_t) - 2 : 0;

	for (i = 0; i < bytes; i += PAGE) {
		uint64_t *words = (uint64_t *)(at + i);

		memset(words, 0x5a, PAGE);
		for (j = 0; w->all_words && j < PAGE / sizeof(*words); j++)
			words[j] = (seed << 40 ^ i ^ j) * 0x9e3779b97f4a7c15ULL;
		words[differs] = seed;
		words[differs + 1] = i * 0x9e3779b97f4a7c15ULL;
	}
}

/* Says what the memory of a process is: @equal bytes of it are the same in others. */
static void hint_memory(const struct workload *w, char *place, unsigned long bytes, unsigned long equal)
{
	if (!hint)
		return;
	if (by_file)
		hint |= (-(uintptr_t)place / PAGE) % PLACES;
	prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT, place, w->unhinted ? equal : bytes, hint);
	if (w->two_sites)
		prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT, place + equal, bytes - equal,
		      hint ^ (by_file ? OTHER_FILE : SITE ^ OTHER_SITE));
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die(path);
	return fd;
}

/* How many of these pages are merged now. */
static unsigned long merged_pages(const char *at, unsigned long bytes)
{
	static int map = -1, flags = -1;
	uint64_t entry, flag;
	unsigned long i, merged = 0;

	if (map < 0) {
		map = open_file("/proc/self/pagemap");
		flags = open_file("/proc/kpageflags");
	}
	for (i = 0; i < bytes; i += PAGE) {
		if (pread(map, &entry, sizeof(entry), ((uintptr_t)at + i) / PAGE * sizeof(entry)) != sizeof(entry))
			die("pagemap");
		if (!(entry & PRESENT))
			continue;
		if (pread(flags, &flag, sizeof(flag), (entry & FRAME) * sizeof(flag)) != sizeof(flag))
			die("kpageflags");
		merged += flag >> FLAG_KSM & 1;
	}
	return merged;
}

/* The memory of a process: what is written again comes first, then what is equal, empty and unique. */
static void work(const struct workload *w, unsigned long mib, double seconds, struct shared *shared, int number)
{
	unsigned long bytes = mib * MIB, part = bytes / PARTS, equal = w->equal * part, empty = w->empty * part;
	char *place = PLACE;
	uint64_t round = 1;
	double next;

	if (by_file)
		place += number * (bytes + 7 * PAGE);
	if (mmap(place, bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0) != place)
		die("mmap");
	if (!w->late)
		fill(w, place, equal, round);
	else if (madvise(place, equal, MADV_DONTNEED))
		die("madvise");
	memset(place + equal, 0, empty);
	fill(w, place + equal + empty, bytes - equal - empty, 1000 + number);
	if (madvise(place, bytes, MADV_MERGEABLE))
		die("madvise");
	hint_memory(w, place, bytes, equal);
	__sync_fetch_and_add(&shared->ready, 1);
	while (!shared->start)
		usleep(1000);
	if (w->late) {
		usleep(seconds / 4 * 1e6);
		fill(w, place, equal, round);
		__sync_fetch_and_add(&shared->later, equal);
	}
	for (next = now() + w->period; w->period; next += w->period) {
		while (now() < next)
			usleep(1000);
		__sync_fetch_and_add(&shared->broken, merged_pages(place, w->written * part));
		fill(w, place, w->written * part, ++round);
	}
	for (;;)
		pause();
}

/* See kernel-merge.c: the host clears memory of the guest when it is touched first. */
static void touch_memory(unsigned long mib)
{
	void *at = mmap(NULL, mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	munmap(at, mib * MIB);
}

static const struct workload *find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++)
		if (!strcmp(workloads[i].name, name))
			return &workloads[i];
	fprintf(stderr, "no workload '%s'\n", name);
	exit(2);
}

static void set_knobs(char **knobs)
{
	char *value;

	for (; *knobs; knobs++) {
		value = split_knob(*knobs);
		if (strcmp(*knobs, "hint"))
			write_ksm(*knobs, value);
		else if (!strcmp(value, "none"))
			hint = 0;
		else if (!strcmp(value, "file")) {
			by_file = true;
			hint = FROM_FILE | PRIORITY | SETTLED;
		} else
			hint |= (uint64_t)(atoi(value) & 3) << 52;
	}
}

/* What all processes save when all that is equal is merged. */
static double most_mib(const struct workload *w, unsigned long mib)
{
	bool zero = read_ksm("use_zero_pages") > 0;
	double empty = w->empty * mib / (double)PARTS * PROCESSES;

	/* Without the zero page, a page that is full of sharers is one of several. */
	if (!zero)
		empty -= empty / read_ksm("max_page_sharing");
	return w->equal * mib / (double)PARTS * (PROCESSES - 1) + empty;
}

/* What is seen while KSM runs. */
struct seen {
	double integral, saved;	/* what was saved in MiB x s, and in MiB at the end */
	double until, until_cpu;	/* when most of it was saved, and what ksmd had taken by then; or -1 */
};

static struct seen watch(double seconds, double most, double taken, const struct shared *shared, int ksmd)
{
	double begin = now(), cpu = thread_seconds(ksmd), before = 0, time, mib = 0, last = 0;
	struct seen seen = { .until = -1, .until_cpu = -1 };

	while ((time = now() - begin) < seconds) {
		mib = saved_mib(taken, shared);
		seen.integral += (mib + last) / 2 * (time - before);
		before = time;
		last = mib;
		if (seen.until < 0 && most > 0 && mib >= most * 0.95) {
			seen.until = time;
			seen.until_cpu = thread_seconds(ksmd) - cpu;
		}
		if (point_count < POINTS_MAX && (!point_count || time >= points[point_count - 1].seconds + POINT_SECONDS))
			points[point_count++] = (struct point){ time, mib };
		usleep(LOOK_SECONDS * 1e6);
	}
	seen.saved = mib;
	return seen;
}

static void print_series(void)
{
	int i;

	printf("series");
	for (i = 0; i < point_count; i++)
		printf(" %.3f,%.2f", points[i].seconds, points[i].mib);
	printf("\n");
}

int main(int argc, char **argv)
{
	struct shared *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double cpu, scanned, taken, none[STAGES] = { 0 }, stages[STAGES];
	struct seen seen;
	const struct workload *w;
	unsigned long mib;
	pid_t pids[PROCESSES];
	int i, ksmd;

	if (argc < 5) {
		fprintf(stderr, "usage: kernel-engine WORKLOAD MIB SECONDS PAGES_TO_SCAN [KNOB=VALUE...]\n");
		return 2;
	}
	w = find(argv[1]);
	mib = strtoul(argv[2], NULL, 10);
	ksmd = find_ksmd();
	write_ksm("pages_to_scan", argv[4]);
	set_knobs(argv + 5);
	touch_memory(PROCESSES * mib + 64);
	for (i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (!pids[i])
			work(w, mib, strtod(argv[3], NULL), shared, i);
	}
	while (shared->ready < PROCESSES)
		usleep(1000);
	cpu = thread_seconds(ksmd);
	scanned = read_ksm("pages_scanned");
	/* What this program itself takes from now on would be missing in what is saved. */
	memset(points, 1, sizeof(points));
	taken = taken_mib();
	write_ksm("run", "1");
	shared->start = true;
	seen = watch(strtod(argv[3], NULL), most_mib(w, mib), taken, shared, ksmd);
	cpu = thread_seconds(ksmd) - cpu;
	printf("saved %.2f\nintegral %.2f\ncpu %.6f\nscanned %.0f\nbroken %lu\nuntil %.3f\nuntil_cpu %.6f\n", seen.saved,
	       seen.integral, cpu, read_ksm("pages_scanned") - scanned, shared->broken,
	       seen.until, seen.until_cpu);
	read_stages(stages);
	/* KSM has not run before. */
	print_stages(none, stages);
	print_series();
	for (i = 0; i < PROCESSES; i++)
		kill(pids[i], SIGKILL);
	return 0;
}
