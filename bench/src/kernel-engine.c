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
 *
 * Prints what was saved in MiB at the end, the integral of that over time in MiB x s, the CPU time of
 * ksmd in seconds, the pages that it has visited, how many merged pages were copied because they were
 * written to, the seconds until 95 % of what could be saved was saved (-1: never), CPU time by
 * stage where the kernel knows it, and points of seconds and MiB:
 *
 *   saved 96.0
 *   integral 850.2
 *   cpu 0.512
 *   scanned 123456
 *   broken 0
 *   until 1.24
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
/* The same in all processes. */
#define PLACE ((char *)0x1000000000UL)
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
	unsigned int empty, equal;	/* eighths of the memory; the rest is unique */
	unsigned int written;		/* eighths that are written again and again */
	double period;			/* so often, in seconds */
	bool late_words;		/* pages differ in their last words, not in their first */
	bool two_sites;			/* what is unique is hinted as another site */
	bool late;			/* what is equal is written when a quarter of the time is over */
	bool all_words;			/* pages differ in all of their words */
};

static const struct workload workloads[] = {
	{ .name = "static", .equal = 4 },
	{ .name = "prefix", .equal = 4, .late_words = true },
	{ .name = "unlike", .equal = 4, .all_words = true },
	{ .name = "zero", .empty = 6, .equal = 1 },
	{ .name = "bursty", .equal = 4, .written = 1, .period = 4 },
	{ .name = "rewriting", .equal = 4, .written = 2, .period = 1 },
	{ .name = "sites", .equal = 1, .two_sites = true },
	{ .name = "late", .equal = 1, .late = true },
};

struct shared {
	volatile int ready;
	volatile bool start;
};

struct point {
	double seconds, mib;
};

static struct point points[POINTS_MAX];
static int point_count;
static uint64_t hint = SITE | PRIORITY | PEERS;
/* The memory is at other places in each process, and hinted to come from the same one of a file. */
static bool by_file;

/* 0 if there is no such file, as on a kernel that does not know it. */
static double read_ksm(const char *name)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), GUEST_KSM "%s", name);
	return read_text(path, text, sizeof(text)) ? strtod(text, NULL) : 0;
}

/* What follows the key in a file of lines, or 0. */
static double read_line(const char *path, const char *key)
{
	static char text[65536];
	char *line;

	if (!read_text(path, text, sizeof(text)))
		die(path);
	line = strstr(text, key);
	if (!line)
		return 0;
	line += strlen(key);
	line += strspn(line, " :\t");
	return strtod(line, NULL);
}

static double ksmd_seconds(int pid)
{
	char path[64], text[128];

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	return read_text(path, text, sizeof(text)) ? strtod(text, NULL) / 1e9 : 0;
}

static double saved_mib(void)
{
	return (read_ksm("pages_sharing") + read_ksm("ksm_zero_pages")) * PAGE / MIB;
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

/* The memory of a process: what is written again comes first, then what is equal, empty and unique. */
static void work(const struct workload *w, unsigned long mib, double seconds, struct shared *shared, int number)
{
	unsigned long eighth = mib * MIB / 8;
	char *place = PLACE;
	uint64_t round = 1;
	double next;

	if (by_file)
		place += number * (mib * MIB + 7 * PAGE);
	if (mmap(place, mib * MIB, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0) != place)
		die("mmap");
	if (!w->late)
		fill(w, place, w->equal * eighth, round);
	else if (madvise(place, w->equal * eighth, MADV_DONTNEED))
		die("madvise");
	memset(place + w->equal * eighth, 0, w->empty * eighth);
	fill(w, place + (w->equal + w->empty) * eighth, (8 - w->equal - w->empty) * eighth, 1000 + number);
	if (madvise(place, mib * MIB, MADV_MERGEABLE))
		die("madvise");
	if (by_file)
		hint |= (-(uintptr_t)place / PAGE) % PLACES;
	if (hint)
		prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT, place, mib * MIB, hint);
	if (hint && w->two_sites)
		prctl(PR_SET_VMA, PR_SET_VMA_KSM_HINT, place + w->equal * eighth, (8 - w->equal) * eighth,
		      hint ^ (by_file ? OTHER_FILE : SITE ^ OTHER_SITE));
	__sync_fetch_and_add(&shared->ready, 1);
	while (!shared->start)
		usleep(1000);
	if (w->late) {
		usleep(seconds / 4 * 1e6);
		fill(w, place, w->equal * eighth, round);
	}
	for (next = now() + w->period; w->period; next += w->period) {
		while (now() < next)
			usleep(1000);
		fill(w, place, w->written * eighth, ++round);
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
		value = strchr(*knobs, '=');
		if (!value) {
			fprintf(stderr, "'%s' is not KNOB=VALUE\n", *knobs);
			exit(2);
		}
		*value++ = 0;
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
	double empty = w->empty * mib / 8.0 * PROCESSES;

	/* Without the zero page, a page that is full of sharers is one of several. */
	if (!zero)
		empty -= empty / read_ksm("max_page_sharing");
	return w->equal * mib / 8.0 * (PROCESSES - 1) + empty;
}

/* Watches for so many seconds. Returns the integral of what is saved, and when most of it was. */
static double watch(double seconds, double most, double *until)
{
	double begin = now(), before = 0, time, integral = 0, mib = 0, last = 0;

	*until = -1;
	while ((time = now() - begin) < seconds) {
		mib = saved_mib();
		integral += (mib + last) / 2 * (time - before);
		before = time;
		last = mib;
		if (*until < 0 && mib >= most * 0.95)
			*until = time;
		if (point_count < POINTS_MAX)
			points[point_count++] = (struct point){ time, mib };
		usleep(POINT_SECONDS * 1e6);
	}
	return integral;
}

static void print_stages(void)
{
	static const char * const stages[] = { "walk", "hash", "lookup", "compare", "merge" };
	char name[32];
	int i;

	printf("stages ");
	for (i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "cpu_%s_us", stages[i]);
		printf("%s%.0f", i ? "," : "", read_ksm(name));
	}
	printf("\nseries");
	for (i = 0; i < point_count; i++)
		printf(" %.3f,%.2f", points[i].seconds, points[i].mib);
	printf("\n");
}

int main(int argc, char **argv)
{
	struct shared *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double cpu, scanned, broken, until, integral;
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
	cpu = ksmd_seconds(ksmd);
	scanned = read_ksm("pages_scanned");
	broken = read_line("/proc/vmstat", "cow_ksm");
	write_ksm("run", "1");
	shared->start = true;
	integral = watch(strtod(argv[3], NULL), most_mib(w, mib), &until);
	cpu = ksmd_seconds(ksmd) - cpu;
	printf("saved %.2f\nintegral %.2f\ncpu %.4f\nscanned %.0f\nbroken %.0f\nuntil %.3f\n", saved_mib(), integral, cpu,
	       read_ksm("pages_scanned") - scanned, read_line("/proc/vmstat", "cow_ksm") - broken, until);
	print_stages();
	for (i = 0; i < PROCESSES; i++)
		kill(pids[i], SIGKILL);
	return 0;
}
