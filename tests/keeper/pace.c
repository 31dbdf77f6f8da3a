/* SPDX-License-Identifier: BSD-2-Clause */
/* A pass is due where there is something to be gained, and comes when it disturbs least. */
#include <sys/mman.h>
#include <unistd.h>

#include "keeper/pace.h"
#include "test.h"

#define SECOND UINT64_C(1000000000)
#define MS (SECOND / 1000)
#define TICK (SECOND / 10)
#define MB UINT64_C(256) /* pages */
#define NEVER 100000

static struct ksr_look look;
static struct ksr_pace pace;

/* A tenth of a second later, with so many pages, after so many hundredths of that time of work; it waits for something then. */
static bool due_after(uint64_t pages, unsigned int work)
{
	look.now_ns += TICK;
	look.usage.pages = pages;
	look.usage.cpu_ns += work * (TICK / 100);
	look.usage.sleeps = work < 50;
	return ksr_pace_is_due(&pace, &look);
}

/* The tenths of a second until a pass is due. */
static unsigned int until_due(uint64_t pages, unsigned int work)
{
	for (unsigned int i = 1; i < NEVER; i++)
		if (due_after(pages, work))
			return i;
	return NEVER;
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
	/* While it loads it is left alone, also where it waits for its data. */
	for (uint64_t i = 1; i < 20; i++)
		CHECK(!due_after(10 * MB + i * 10 * MB, i % 2 ? 90 : 30));
	/* Once it has, and rests, there is nothing to be waited for. */
	CHECK(until_due(200 * MB, 0) <= 2);
	/* Who works on, but grows no more, is waited for a bit. */
	begin(10 * MB);
	CHECK(!due_after(200 * MB, 90));
	CHECK(until_due(200 * MB, 40) == 2);
	/* A small one is never due. */
	begin(2 * MB);
	CHECK(until_due(4 * MB, 0) == NEVER);
	pass(4 * MB, 0, 0);
	ksr_pace_news(&pace);
	CHECK(until_due(4 * MB, 0) == NEVER);
	/* Where little is left because the rest is shared, that counts. */
	begin(100 * MB);
	pass(4 * MB, 96 * MB, 0);
	ksr_pace_news(&pace);
	CHECK(until_due(4 * MB, 0) <= 2);
}

static void check_growing_for_ever(void)
{
	uint64_t pages = 100 * MB;
	unsigned int tenths = 0;

	begin(pages);
	do {
		pages += pages / 10;
		tenths++;
	} while (!due_after(pages, 0) && tenths < NEVER);
	CHECK_MSG(tenths >= 250 && tenths <= 350, "after %u tenths of a second", tenths);
}

static void check_busy(void)
{
	begin(100 * MB);
	for (unsigned int i = 0; i < 10; i++)
		CHECK(!due_after(100 * MB, 90));
	CHECK(due_after(100 * MB, 1));
	/* Between two stops it runs for long: it need not be idle. */
	begin(100 * MB);
	CHECK(until_due(100 * MB, 90) == 20);
}

static void check_later_passes(void)
{
	unsigned int last, now;

	begin(100 * MB);
	CHECK(until_due(100 * MB, 0) <= 2);
	pass(20 * MB, 80 * MB, 0);
	/* There may be more. */
	CHECK(until_due(20 * MB, 0) == 2);
	/* In vain: each time twice as late, up to ten minutes. */
	last = 2;
	for (int i = 0; i < 14; i++) {
		pass(20 * MB, 0, 0);
		now = until_due(20 * MB, 0);
		CHECK_MSG(now == 2 * last || now == 6000, "%u after %u", now, last);
		last = now;
	}
	CHECK(last == 6000);
	/* What is new does not wait for that. */
	pass(20 * MB, 0, 0);
	CHECK(!due_after(21 * MB, 0));
	CHECK(until_due(60 * MB, 0) <= 2);
	/* And a gain makes them come as often as before. */
	pass(20 * MB, 40 * MB, 0);
	CHECK(until_due(20 * MB, 0) == 2);
}

/* What others have published is not waited for, as long as it is worth it. */
static void check_news(void)
{
	unsigned int last = 1, now;

	begin(100 * MB);
	CHECK(until_due(100 * MB, 0) <= 2);
	/* Half a second of stops for nothing: by itself the next one would be long in coming. */
	pass(100 * MB, 0, SECOND / 2);
	ksr_pace_news(&pace);
	CHECK(until_due(100 * MB, 0) == 1);
	for (int i = 0; i < 5; i++) {
		pass(100 * MB, 0, SECOND / 2);
		ksr_pace_news(&pace);
		now = until_due(100 * MB, 0);
		CHECK_MSG(now >= 2 * last, "%u after %u", now, last);
		last = now;
	}
	pass(20 * MB, 80 * MB, SECOND / 2);
	ksr_pace_news(&pace);
	CHECK(until_due(20 * MB, 0) == 1);
	/* Where it cannot be stopped, news do not help. */
	ksr_pace_refused(&pace, &look, 0);
	ksr_pace_news(&pace);
	CHECK(until_due(20 * MB, 0) == 100);
}

static void check_share_of_time(void)
{
	begin(100 * MB);
	CHECK(until_due(100 * MB, 0) <= 2);
	pass(100 * MB, 0, SECOND / 2);
	/* Half a second for nothing is a hundredth of fifty. */
	CHECK(until_due(200 * MB, 0) == 500);
	/* One that rests stands for half of the time, and a busy one for a fiftieth. */
	CHECK(ksr_pace_pause(MS, 0) == MS);
	CHECK(ksr_pace_pause(MS, MS / 10) == 5 * MS);
	CHECK(ksr_pace_pause(MS, 13 * MS) == 51 * MS);
	CHECK(ksr_pace_pause(MS, 1000 * SECOND) == 51 * MS);
	CHECK(ksr_pace_pause(SECOND, 1000 * SECOND) == 51 * SECOND);
	/* Whatever it runs, the part of its time in which it stands is that of a busy one at most. */
	for (uint64_t ran = 0; ran < 60 * MS; ran += MS / 8) {
		uint64_t pause = ksr_pace_pause(MS, ran);

		CHECK(pause >= 51 * MS || 50 * 4 * ran * MS <= (pause + 3000) * (pause + 3000 - MS));
	}
}

/* How long it has not run at all, which is not the same as that it had no processor. */
static void check_still(void)
{
	begin(10 * MB);
	due_after(10 * MB, 0);
	due_after(10 * MB, 0);
	CHECK(ksr_pace_still_ns(&pace) == 2 * TICK);
	due_after(10 * MB, 1);
	CHECK(ksr_pace_still_ns(&pace) == 0);
	due_after(10 * MB, 0);
	look.now_ns += TICK;
	look.usage.sleeps = false;
	ksr_pace_is_due(&pace, &look);
	CHECK(ksr_pace_still_ns(&pace) == 0);
}

static void check_usage(void)
{
	struct ksr_image_usage before, after;
	struct ksr_image image;
	char *memory = mmap(NULL, 16 * TEST_MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED && ksr_image_open(&image, getpid(), 0) == 0);
	CHECK(ksr_image_usage(&image, &before) == 0);
	memset(memory, 1, 16 * TEST_MIB);
	CHECK(ksr_image_usage(&image, &after) == 0);
	/* To the moment: its own pace is measured by it. */
	CHECK(after.cpu_ns > before.cpu_ns && !after.sleeps);
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
	check_still();
	check_usage();
	return 0;
}
