// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of how hinted memory of different processes shares the hinted lane of
 * KSM: beside one hostile process, n honest ones lose at most 1 / (n + 1) of it,
 * and hardly anything when it has shown for two passes that it earns nothing.
 * Counted in pages that were visited, not in time. Run as root.
 */
#include "ksm_hint_common.h"

#define HONEST_PAGES 4096UL
#define HOSTILE_SITE 99

enum hostile {
	TINY,		/* as many VMAs as there may be, all most urgent */
	CHURN,		/* merged and unmapped again and again */
};

static const char * const names[] = { "tiny ranges", "mapped again and again" };

/* Ranges of one page each, of which some are given a new hint all the time. */
static void be_tiny(int ready)
{
	unsigned long i, pages = 2 * 16000;
	char *addr = map_alone(pages * page);

	fill(addr, pages * page, getpid());
	madvise(addr, pages * page, MADV_MERGEABLE);
	for (i = 0; i < pages; i++) {
		if (hint(addr + i * page, page, word(HOSTILE_SITE + i % 2, 15, 0)))
			break;
	}
	(void)!write(ready, "", 1);
	for (i = 0;; i++) {
		hint(addr + i % 1000 * 2 * page, page,
		     word(HOSTILE_SITE, 14 + i % 2, 0));
		usleep(1000);
	}
}

/* 8 MiB of pages that are all equal to one another in pairs. */
static void be_churn(int ready)
{
	unsigned long len = 1024 * page, seed = 0;
	char *keep = map_alone(page), *addr;

	madvise(keep, page, MADV_MERGEABLE);
	hint(keep, page, word(HOSTILE_SITE, 15, 2));
	fill(keep, page, getpid());
	for (;;) {
		addr = map_alone(2 * len);
		madvise(addr, 2 * len, MADV_MERGEABLE);
		hint(addr, 2 * len, word(HOSTILE_SITE, 15, 2));
		seed++;
		fill(addr, len, seed);
		fill(addr + len, len, seed);
		if (seed == 3)
			(void)!write(ready, "", 1);
		usleep(20 * 1000);
		munmap(addr, 2 * len);
	}
}

static void be_honest(int ready, int start)
{
	char *addr = map_alone(HONEST_PAGES * page), byte;

	fill(addr, HONEST_PAGES / 2 * page, 77);
	fill(addr + HONEST_PAGES / 2 * page, HONEST_PAGES / 2 * page, 77);
	(void)!write(ready, "", 1);
	(void)!read(start, &byte, 1);
	madvise(addr, HONEST_PAGES * page, MADV_MERGEABLE);
	hint(addr, HONEST_PAGES * page, word(1, 1, 0));
	(void)!write(ready, "", 1);
	for (;;)
		pause();
}

/* The sum of this column of all sites of the test in this process. */
static long sum_of(pid_t pid, const char *column)
{
	static const int sites[] = { 1, HOSTILE_SITE, HOSTILE_SITE + 1 };
	char path[64];
	long sum = 0, value;
	size_t i;

	snprintf(path, sizeof(path), "/proc/%d/ksm_sites", pid);
	for (i = 0; i < ARRAY_SIZE(sites); i++) {
		value = site_value(path, sites[i], column);
		sum += value > 0 ? value : 0;
	}
	return sum;
}

static long scanned_of(pid_t pid)
{
	return sum_of(pid, "scanned");
}

static long scanned_of_all(const pid_t *pids, int n)
{
	long sum = 0;

	while (n--)
		sum += scanned_of(pids[n]);
	return sum;
}

/* Is one of the honest ones through, or nearly, and has nothing left to visit? */
static bool one_is_through(const pid_t *pids, int n)
{
	while (n--) {
		if (scanned_of(pids[n]) > (long)HONEST_PAGES * 19 / 20)
			return true;
	}
	return false;
}

/* Wait until the honest ones had so many visits; false if that takes too long. */
static bool wait_scanned(const pid_t *pids, int n, long scanned)
{
	int wait = PATIENCE;

	while (scanned_of_all(pids, n) < scanned && wait--)
		usleep(1000);
	return wait > 0;
}

/* Visits of the hostile process, and of the honest ones meanwhile. */
struct visits {
	long taken, honest;
};

/* Start n honest processes and the hostile one; each says that it is ready. */
static void start_processes(enum hostile hostile, int n, pid_t *pids,
			    const int *ready, const int *start)
{
	int i;

	for (i = 0; i <= n; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		close(start[1]);
		if (i < n)
			be_honest(ready[1], start[0]);
		else if (hostile == TINY)
			be_tiny(ready[1]);
		else
			be_churn(ready[1]);
	}
	for (i = 0; i <= n; i++)
		wait_byte(ready[0]);
}

/*
 * Let ksmd go twice at least through what the hostile process has, before the
 * others come. A slow machine needs longer for that.
 */
static void some_passes(pid_t hostile)
{
	int wait = PATIENCE / 100;
	long pages;

	ksm_set("pages_to_scan", "20000");
	ksm_set("run", "1");
	usleep(1000 * 1000);
	do {
		usleep(100 * 1000);
		pages = sum_of(hostile, "merged") + sum_of(hostile, "unshared") +
			sum_of(hostile, "volatile");
	} while ((!pages || scanned_of(hostile) < 2 * pages) && wait--);
	if (wait < 0)
		ksft_exit_fail_msg("ksmd did not come round in %d s\n",
				   PATIENCE / 1000);
	/* That large a batch must be over before the honest ones come. */
	ksm_set("run", "0");
	ksm_set("pages_to_scan", "100");
}

/*
 * Count visits while the honest ones are in their first pass. Both are counted
 * at the same time: when ksmd stands still. Returns false, and counts nothing,
 * if the machine was too busy to look at them while they were at it.
 */
static bool count_visits(const char *name, const pid_t *pids, int n,
			 struct visits *visits)
{
	long taken, honest, all = n * HONEST_PAGES;
	bool done;

	done = wait_scanned(pids, n, all / 10);
	ksm_set("run", "0");
	honest = scanned_of_all(pids, n);
	taken = scanned_of(pids[n]);
	ksm_set("run", "1");
	done = done && wait_scanned(pids, n, all * 7 / 10);
	ksm_set("run", "0");
	honest = scanned_of_all(pids, n) - honest;
	taken = scanned_of(pids[n]) - taken;
	ksft_print_msg("%s, %d honest: %ld of %ld visits\n", name, n, taken,
		       taken + honest);
	if (!done || honest <= 0 || one_is_through(pids, n))
		return false;
	visits->taken += taken;
	visits->honest += honest;
	return true;
}

/*
 * One run: n honest processes have work to do all the time. They come when the
 * hostile one is there for some passes if late is set, else at the same time.
 * Returns false if nothing could be counted.
 */
static bool run_beside(enum hostile hostile, int n, bool late,
		       struct visits *visits)
{
	int ready[2], start[2], i;
	pid_t pids[5];
	bool counted;

	ksm_set("run", "2");
	ksm_set("hint_share", "100");
	ksm_set("sleep_millisecs", "1");
	ksm_set("pages_to_scan", "100");
	if (pipe(ready) || pipe(start))
		ksft_exit_fail_msg("no pipe\n");
	start_processes(hostile, n, pids, ready, start);
	if (late)
		some_passes(pids[n]);
	close(start[0]);
	close(start[1]);
	/* None of the honest ones has a start over the others. */
	for (i = 0; i < n; i++)
		wait_byte(ready[0]);
	ksm_set("run", "1");
	counted = count_visits(names[hostile], pids, n, visits);
	for (i = 0; i <= n; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	close(ready[0]);
	close(ready[1]);
	ksm_set("hint_share", "80");
	return counted;
}

/*
 * The percentage of visits that went to the hostile process, in so many runs
 * together: what it earns it may use, so single passes differ.
 */
static long lost_in_runs(enum hostile hostile, int n, bool late, int runs)
{
	struct visits visits = {};
	int tries = 20;

	while (runs && tries--)
		runs -= run_beside(hostile, n, late, &visits);
	return runs ? 100 : visits.taken * 100 / (visits.taken + visits.honest);
}

static void test_fair(enum hostile hostile, int n)
{
	long lost = lost_in_runs(hostile, n, false, 1);

	/* A quantum more or less, at the start and at the end. */
	ksft_test_result(lost <= 100 / (n + 1) + 1,
			 "%s: %ld %% lost by %d from the start\n",
			 names[hostile], lost, n);
	lost = lost_in_runs(hostile, n, true, 3);
	ksft_test_result(lost <= 5, "%s: %ld %% lost by %d after some passes\n",
			 names[hostile], lost, n);
}

static long slab_kib(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = 0;

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "Slab: %ld kB", &kib);
	if (file)
		fclose(file);
	return kib;
}

/* What hinted VMAs with a site each cost, beside the VMAs themselves. */
static void test_memory_cost(void)
{
	unsigned long i, vmas = 0, pages = 20000;
	char *addr = map_alone(pages * page);
	long plain, with_hints;

	fill(addr, pages * page, 1);
	/* Split first, so that there are as many VMAs without KSM. */
	while (vmas < pages &&
	       !hint(addr + vmas * page, page, word(1000 + vmas, 0, 0)))
		vmas++;
	/* There are fewer if that is the limit of VMAs. */
	munmap(addr + vmas * page, (pages - vmas) * page);
	plain = slab_kib();
	for (i = 0; i < vmas; i++)
		hint(addr + i * page, page, word(1000 + i, 15, 0));
	madvise(addr, vmas * page, MADV_MERGEABLE);
	two_scans();
	with_hints = slab_kib();
	ksft_test_result(vmas > 1000 &&
			 with_hints - plain <= (long)vmas * 1024 / 1024,
			 "memory: %ld bytes for each VMA with a site of its own\n",
			 (with_hints - plain) * 1024 / (long)vmas);
	munmap(addr, vmas * page);
}

int main(void)
{
	begin(9);
	test_fair(TINY, 1);
	test_fair(TINY, 3);
	test_fair(CHURN, 1);
	test_fair(CHURN, 3);
	test_memory_cost();
	end();
}
