// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of what KSM counts for each site, /proc/PID/ksm_sites and ksm/sites in
 * debugfs, and of what it makes of that: a site that earns nothing is demoted.
 * Run as root: ksmd is stopped and started, and left stopped with nothing merged.
 */
#include <sys/mount.h>

#include "ksm_hint_common.h"

#define SITES "/sys/kernel/debug/ksm/sites"

/* The rows of two sites before any scan and after a few; c is equal to a. */
static void test_rows(char *a, char *b, char *c, unsigned long len)
{
	struct site row = {};
	unsigned long saved;

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
	merge_all(512);
	site_row(21, &row, &saved);
	ksft_test_result(row.merged == 512 && row.vm_pages == 512 &&
			 row.scanned >= 512, "sites: %lu of 512 merged\n", row.merged);
	ksft_test_result(saved == (unsigned long)ksm_read("pages_sharing") &&
			 saved == 512, "sites: what all of them save, %lu, is pages_sharing\n",
			 saved);
	ksft_test_result(site_row(22, &row, NULL) && !row.merged && !row.saved &&
			 row.unshared + row.unstable == 256, "sites: nothing merged of another\n");
}

static void test_sites(void)
{
	unsigned long len = 256 * page, i, saved;
	char *a = map_alone(2 * len), *b = map_alone(len), *c = map_alone(len);
	struct site row = {};

	ksm_set("pages_to_scan", "10000");
	ksm_set("run", "2");
	test_rows(a, b, c, len);

	/* Whoever pays, it is paid for when he leaves. */
	munmap(c, len);
	wait_scans(3);
	site_row(21, &row, &saved);
	ksft_test_result(row.saved == 256 && saved == 256 &&
			 ksm_read("pages_sharing") == 256,
			 "sites: %lu saved after others have left\n", row.saved);

	/*
	 * While ksmd stands still: between the copy for a write and the write
	 * itself the page is what it was, and a visit would merge it once more.
	 */
	ksm_set("run", "0");
	for (i = 0; i < 10; i++)
		a[i * page + 100] = i + 1;
	ksm_set("run", "1");
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

/* All sites of all processes, hinted or not, save what KSM says is saved. */
static void test_sites_of_all(void)
{
	unsigned long len = 64 * page, saved = 0, row_saved;
	char line[1024], *addr;
	int ready[2], stop[2], i;
	FILE *file;

	mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (access(SITES, R_OK)) {
		ksft_test_result_skip("sites: those of all processes: no debugfs\n");
		ksft_test_result_skip("sites: the processes of each: no debugfs\n");
		return;
	}
	if (pipe(ready) || pipe(stop))
		ksft_exit_fail_msg("no pipe\n");
	for (i = 0; i < 4; i++) {
		if (fork())
			continue;
		close(stop[1]);
		addr = map_alone(2 * len);
		fill(addr, len, 31 + i % 2);
		fill(addr + len, len, 33);
		madvise(addr, 2 * len, MADV_MERGEABLE);
		hint(addr, len, word(31 + i, 5, 0));
		(void)!write(ready[1], "", 1);
		i = read(stop[0], line, 1);
		_exit(0);
	}
	close(stop[0]);
	for (i = 0; i < 4; i++)
		wait_byte(ready[0]);
	merge_all(5 * 64);
	file = fopen(SITES, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*u %*u %*u %*u %*u %lu", &row_saved) == 1)
			saved += row_saved;
	}
	if (file)
		fclose(file);
	ksft_test_result(saved == (unsigned long)ksm_read("pages_sharing") &&
			 saved == 5 * 64,
			 "sites: those of all processes save %lu pages\n", saved);
	ksft_test_result(site_value(SITES, 31, "mms") == 1 &&
			 site_value(SITES, 0, "mms") >= 4,
			 "sites: the processes of each are counted\n");
	close(stop[1]);
	close(ready[0]);
	close(ready[1]);
	while (wait(NULL) > 0)
		;
}

/* What is hinted and earns nothing is scanned like other memory, until it does. */
static void test_site_rung(void)
{
	unsigned long len = 256 * page;
	char *addr = map_alone(2 * len), *other = map_alone(page);
	long took = 0;
	int i;
	static const char * const times[] = { "ms16", "ms64", "ms256", "ms1024",
		"ms4096", "ms16384", "ms65536", "more" };

	/* Without any mergeable memory, there would be no scans. */
	fill(other, page, 40);
	madvise(other, page, MADV_MERGEABLE);
	fill(addr, len, 41);
	fill(addr + len, len, 42);
	madvise(addr, 2 * len, MADV_MERGEABLE);
	hint(addr, 2 * len, word(41, 15, 0));
	ksft_test_result(own_site(41, "rung") == 1, "site: trusted at first\n");
	two_scans();
	wait_scans(5);
	ksft_test_result(own_site(41, "rung") == 0 && own_site(41, "yield") == 0,
			 "site: demoted after some scans without a merge\n");
	fill(addr + len, len, 41);
	wait_scans(30);
	ksft_test_result(own_site(41, "merged") == 512,
			 "site: merged though it was demoted (%ld)\n",
			 own_site(41, "merged"));
	/* What lasts is known after a second or two, however fast the scans are. */
	for (i = 0; i < PATIENCE && own_site(41, "yield") < 100; i++)
		usleep(1000);
	ksft_test_result(own_site(41, "rung") == 1 && own_site(41, "yield") == 100,
			 "site: promoted after that\n");
	for (i = 0; i < 8; i++)
		took += own_site(41, times[i]);
	ksft_test_result(took == 512, "site: the times of %ld merges are counted\n",
			 took);
	ksft_test_result(own_site(41, "cpu_us") > 0, "site: it took CPU time\n");
	took = own_site(41, "scanned");
	madvise(addr, 2 * len, MADV_DONTNEED);
	wait_scans(4);
	ksft_test_result(own_site(41, "scanned") >= took &&
			 own_site(41, "merged") == 0,
			 "site: empty memory keeps what was counted\n");
	munmap(addr, 2 * len);
	wait_scans(3);
	ksft_test_result(own_site(41, "scanned") == -1,
			 "site: forgotten a full scan after its last VMA\n");
	munmap(other, page);
}

/*
 * Whenever a site is demoted or promoted, no full scan leaves out its memory:
 * two of them merge what has become equal, also if it was poor before.
 */
static void test_site_always_visited(void)
{
	unsigned long len = 512 * page;
	char *addr, *other = map_alone(page);
	long merged, least = 1024;
	int scans;

	fill(other, page, 40);
	madvise(other, page, MADV_MERGEABLE);
	ksm_set("smart_scan", "0");
	/* The linear lane is through before the hinted one has come far. */
	ksm_set("hint_share", "5");
	ksm_set("pages_to_scan", "300");
	ksm_set("sleep_millisecs", "1");
	for (scans = 0; scans < 6; scans++) {
		addr = map_alone(2 * len);
		fill(addr, len, 43);
		fill(addr + len, len, 44);
		madvise(addr, 2 * len, MADV_MERGEABLE);
		hint(addr, 2 * len, word(45 + scans, 15, 0));
		wait_scans(scans);
		fill(addr + len, len, 43);
		two_scans();
		merged = own_site(45 + scans, "merged");
		if (merged < least)
			least = merged;
		munmap(addr, 2 * len);
	}
	ksm_set("smart_scan", "1");
	ksm_set("hint_share", "80");
	ksm_set("pages_to_scan", "10000");
	ksm_set("sleep_millisecs", "20");
	ksft_test_result(least >= 1000,
			 "site: no scan leaves it out (%ld of 1024 merged)\n",
			 least);
	munmap(other, page);
}

int main(void)
{
	begin(20);
	test_sites();
	test_sites_of_all();
	test_site_rung();
	test_site_always_visited();
	test_nothing_left();
	end();
}
