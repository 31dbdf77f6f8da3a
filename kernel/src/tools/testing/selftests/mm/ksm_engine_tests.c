// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the mechanisms of KSM that have a knob each in /sys/kernel/mm/ksm: what
 * the knob takes, what the mechanism does, and that no page is lost by it. Run as
 * root: ksmd is stopped and started, and left stopped with nothing merged.
 */
#include "ksm_hint_common.h"

/* A knob has this value, takes the others that are good, and keeps what it has. */
static void test_knob(const char *knob, long value, const char * const *good,
		      const char * const *bad)
{
	bool right = ksm_read(knob) == value;
	char text[32];
	int i;

	for (i = 0; bad[i]; i++) {
		errno = 0;
		right = right && !ksm_write(knob, bad[i]) && errno == EINVAL &&
			ksm_read(knob) == value;
	}
	for (i = 0; good[i]; i++)
		right = right && ksm_write(knob, good[i]) &&
			ksm_read(knob) == atol(good[i]);
	snprintf(text, sizeof(text), "%ld", value);
	ksm_set(knob, text);
	ksft_test_result(right, "%s: takes what it should, and nothing else\n",
			 knob);
}

#define KNOB(knob, value, good, ...) \
	test_knob(knob, value, good, (const char * const[]){ __VA_ARGS__, NULL })

static const char * const zero_or_one[] = { "1", "0", NULL };

/* Are all bytes of these pages what they were written to be? */
static bool is_filled(const char *addr, unsigned long len, char byte)
{
	unsigned long i;

	for (i = 0; i < len; i++) {
		if (addr[i] != byte)
			return false;
	}
	return true;
}

/* Pages of this process that are merged with the zero page. */
static long own_zero_pages(void)
{
	char line[128];
	long value = -1;
	FILE *file = fopen("/proc/self/ksm_stat", "r");

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "ksm_zero_pages %ld", &value);
	if (file)
		fclose(file);
	return value;
}

/* Empty, but not untouched. */
static char *map_empty(unsigned long len)
{
	char *addr = map_alone(len);

	memset(addr, 1, len);
	memset(addr, 0, len);
	madvise(addr, len, MADV_MERGEABLE);
	return addr;
}

/* In a child: what it counts after fork, after it has written and has unmerged. */
static int zero_child(char *addr, unsigned long len)
{
	if (own_zero_pages() != 256)
		return 1;
	addr[0] = 1;
	if (own_zero_pages() != 255)
		return 2;
	if (madvise(addr, len, MADV_UNMERGEABLE) || own_zero_pages())
		return 3;
	return addr[0] == 1 && is_filled(addr + 1, len - 1, 0) ? 0 : 4;
}

static void test_zero_first(void)
{
	unsigned long len = 256 * page;
	char *addr, *other = map_alone(len);
	int status = -1;
	long zero;
	pid_t pid;

	ksm_set("use_zero_pages", "1");
	ksm_set("zero_first", "1");
	fill(other, len, 51);
	madvise(other, len, MADV_MERGEABLE);
	ksm_set("run", "2");
	addr = map_empty(len);
	hint(addr, len, word(51, 0, 0));
	ksm_set("run", "1");
	wait_scans(1);
	ksft_test_result(own_zero_pages() == 256 &&
			 ksm_read("ksm_zero_pages") == 256 &&
			 own_site(51, "zero") == 256,
			 "zero_first: all merged in one scan (%ld)\n",
			 own_zero_pages());
	ksm_set("run", "0");
	pid = fork();
	if (!pid)
		_exit(zero_child(addr, len));
	ksft_test_result(waitpid(pid, &status, 0) == pid && !status &&
			 own_zero_pages() == 256 &&
			 ksm_read("ksm_zero_pages") == 256,
			 "zero_first: a child counts its own (%d)\n",
			 WEXITSTATUS(status));
	addr[5 * page + 7] = 3;
	ksft_test_result(own_zero_pages() == 255 && addr[5 * page + 7] == 3 &&
			 is_filled(addr, 5 * page + 7, 0),
			 "zero_first: a page that is written to is copied\n");
	ksm_set("run", "2");
	ksft_test_result(!own_zero_pages() && !ksm_read("ksm_zero_pages") &&
			 is_filled(addr, 5 * page + 7, 0) && addr[5 * page + 7] == 3,
			 "zero_first: unmerged, none is counted\n");

	/* Whoever says that memory is volatile is not believed to be done. */
	munmap(addr, len);
	addr = map_empty(len);
	hint(addr, len, word(52, 5, 1));
	ksm_set("run", "1");
	wait_scans(2);
	zero = own_zero_pages();
	ksft_test_result(!zero || own_site(52, "scanned") > 4 * 256,
			 "zero_first: not if it is volatile (%ld)\n", zero);

	/* Without use_zero_pages, no page is merged with the zero page at all. */
	ksm_set("run", "2");
	ksm_set("use_zero_pages", "0");
	hint(addr, len, word(53, 5, 0));
	ksm_set("run", "1");
	wait_scans(3);
	ksft_test_result(!own_zero_pages(),
			 "zero_first: nothing without use_zero_pages\n");
	ksm_set("zero_first", "0");
	munmap(addr, len);
	munmap(other, len);
}

int main(void)
{
	begin(8);
	KNOB("zero_first", 0, zero_or_one, "2x", "-", "x");
	test_zero_first();
	test_nothing_left();
	end();
}
