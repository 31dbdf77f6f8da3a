/* SPDX-License-Identifier: BSD-2-Clause */
/* A pass is due where there is something to be gained, and comes when it disturbs least. */
#include <sys/mman.h>
#include <unistd.h>

#include "keeper/pace.h"
#include "test.h"

#define SECOND UINT64_C(1000000000)
#define MB UINT64_C(256) /* pages */

static struct ksr_look look;
static struct ksr_pace pace;

/* One second later, with so many pages, after so many hundredths of a second of work. */
static bool due_after(uint64_t pages, unsigned int work)
{
	look.now_ns += SECOND;
	look.usage.pages = pages;
	look.usage.cpu_ns += work * (SECOND / 100);
	return ksr_pace_is_due(&pace, &look);
}

/* The seconds until a pass is due, at most 1000. */
static unsigned int seconds_until_due(uint64_t pages, unsigned int work)
{
	for (unsigned int i = 1; i < 1000; i++)
		if (due_after(pages, work))
			return i;
	return 1000;
}

static void begin(uint64_t pages)
{
	look = (struct ksr_look){.now_ns = 1000 * SECOND, .usage.pages = pages};
	ksr_pace_begin(&pace, &look);
}

static void pass(uint64_t left, uint64_t gained, uint64_t stood_ns)
{
	look.usage.pages = left;
	ksr_pace_passed(&pace, &look, gained, stood_ns);
}

static void check_loading(void)
{
	begin(10 * MB);
	/* While it loads it is left alone. */
	for (uint64_t i = 1; i < 20; i++)
		CHECK(!due_after(10 * MB + i * 10 * MB, 90));
	CHECK(seconds_until_due(200 * MB, 0) <= 3);
	/* A small one is never due. */
	begin(2 * MB);
	CHECK(seconds_until_due(4 * MB, 0) == 1000);
}

static void check_growing_for_ever(void)
{
	uint64_t pages = 10 * MB;
	unsigned int seconds = 0;

	begin(pages);
	do {
		pages += pages / 10;
		seconds++;
	} while (!due_after(pages, 0) && seconds < 1000);
	CHECK_MSG(seconds >= 25 && seconds <= 35, "after %u s", seconds);
}

static void check_busy(void)
{
	begin(100 * MB);
	CHECK(!due_after(100 * MB, 90) && !due_after(100 * MB, 90) && !due_after(100 * MB, 90));
	CHECK(due_after(100 * MB, 10));
	begin(100 * MB);
	CHECK(seconds_until_due(100 * MB, 90) >= 25);
}

static void check_later_passes(void)
{
	unsigned int last;

	begin(100 * MB);
	CHECK(seconds_until_due(100 * MB, 0) < 5);
	pass(20 * MB, 80 * MB, 0);
	CHECK(seconds_until_due(20 * MB, 0) == 10);
	/* In vain: each time later, up to ten minutes. */
	last = 10;
	for (int i = 0; i < 8; i++) {
		unsigned int now;

		pass(20 * MB, 0, 0);
		now = seconds_until_due(20 * MB, 0);
		CHECK(now > last || now == 600);
		last = now;
	}
	CHECK(last == 600);
	/* What is new does not wait for that. */
	pass(20 * MB, 0, 0);
	CHECK(!due_after(21 * MB, 0));
	CHECK(seconds_until_due(60 * MB, 0) < 5);
	/* And a gain makes them come as often as before. */
	pass(20 * MB, 40 * MB, 0);
	CHECK(seconds_until_due(20 * MB, 0) == 10);
}

/* What others have published is not waited for, and a pass that it was worth nothing for is as any. */
static void check_news(void)
{
	begin(100 * MB);
	CHECK(seconds_until_due(100 * MB, 0) < 5);
	pass(100 * MB, 0, 0);
	pass(100 * MB, 0, 0);
	ksr_pace_news(&pace);
	CHECK(seconds_until_due(100 * MB, 0) < 5);
	pass(100 * MB, 0, 0);
	CHECK(seconds_until_due(100 * MB, 0) >= 10);
}

static void check_share_of_time(void)
{
	begin(100 * MB);
	CHECK(seconds_until_due(100 * MB, 0) < 5);
	pass(50 * MB, 50 * MB, SECOND / 2);
	/* Half a second is a hundredth of fifty. */
	CHECK(seconds_until_due(100 * MB, 90) == 50);
}

static void check_usage(void)
{
	struct ksr_image_usage before, after;
	struct ksr_image image;
	char *memory = mmap(NULL, 16 * TEST_MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED && ksr_image_open(&image, getpid(), 0) == 0);
	CHECK(ksr_image_usage(&image, &before) == 0);
	memset(memory, 1, 16 * TEST_MIB);
	do
		CHECK(ksr_image_usage(&image, &after) == 0);
	while (after.cpu_ns == before.cpu_ns);
	CHECK(after.pages >= before.pages + 15 * MB && after.pages < before.pages + 20 * MB);
	ksr_image_close(&image);
}

int main(void)
{
	check_loading();
	check_growing_for_ever();
	check_busy();
	check_later_passes();
	check_news();
	check_share_of_time();
	check_usage();
	return 0;
}
