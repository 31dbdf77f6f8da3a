/* SPDX-License-Identifier: BSD-2-Clause */
#include "keeper/pace.h"

#define SECOND UINT64_C(1000000000)
/* Below that a process is not worth a stop. */
#define LEAST_PAGES 2048
/* It grows while it has gained that part within the time of quiet, or that many pages where that is more. */
#define GROWTH_PART 64
#define GROWTH_PAGES 256
#define QUIET_NS (2 * SECOND)
/* So much is new since the last pass that the next one need not wait for its time. */
#define NEW_PART 16
/* Growing and busy processes are waited for so long. */
#define PATIENCE_NS (30 * SECOND)
/* A pass that gave less than that part of what it looked at makes the next one come later. */
#define GAIN_PART 256
#define SHORTEST_NS (10 * SECOND)
#define LONGEST_NS (600 * SECOND)
#define NEWS_NS (2 * SECOND)
/* It stands for one part of so many. */
#define STOOD_PARTS 100

static uint64_t more_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void ksr_pace_begin(struct ksr_pace *pace, const struct ksr_look *look)
{
	*pace = (struct ksr_pace){
		.last = *look,
		.quiet_since_ns = look->now_ns,
		.quiet_pages = look->usage.pages,
		.passed_ns = look->now_ns,
		.interval_ns = SHORTEST_NS,
	};
}

static void note_growth(struct ksr_pace *pace, const struct ksr_look *look)
{
	uint64_t limit = pace->quiet_pages + more_of(pace->quiet_pages / GROWTH_PART, GROWTH_PAGES);

	/* What was given back may be taken again: it counts from the least. */
	if (look->usage.pages < pace->quiet_pages)
		pace->quiet_pages = look->usage.pages;
	if (look->usage.pages <= limit)
		return;
	pace->quiet_pages = look->usage.pages;
	pace->quiet_since_ns = look->now_ns;
}

/* More than half of a processor since the last look: somebody waits for an answer. */
static bool is_busy(const struct ksr_pace *pace, const struct ksr_look *look)
{
	uint64_t span = look->now_ns - pace->last.now_ns;

	return look->usage.cpu_ns - pace->last.usage.cpu_ns > span / 2;
}

/* Is there something to be gained? */
static bool is_wanted(const struct ksr_pace *pace, const struct ksr_look *look)
{
	uint64_t pages = look->usage.pages;

	if (pages < LEAST_PAGES)
		return false;
	if (!pace->passed || look->now_ns - pace->passed_ns >= pace->interval_ns)
		return true;
	return pages > pace->passed_pages + more_of(pace->passed_pages / NEW_PART, LEAST_PAGES);
}

bool ksr_pace_is_due(struct ksr_pace *pace, const struct ksr_look *look)
{
	bool ready;

	note_growth(pace, look);
	ready = look->now_ns - pace->quiet_since_ns >= QUIET_NS && !is_busy(pace, look);
	pace->last = *look;
	if (!is_wanted(pace, look)) {
		pace->wanted_since_ns = 0;
		return false;
	}
	if (!pace->wanted_since_ns)
		pace->wanted_since_ns = look->now_ns;
	if (look->now_ns < pace->earliest_ns)
		return false;
	return ready || look->now_ns - pace->wanted_since_ns >= PATIENCE_NS;
}

void ksr_pace_passed(struct ksr_pace *pace, const struct ksr_look *look, uint64_t gained_pages, uint64_t stood_ns)
{
	uint64_t looked_at = look->usage.pages + gained_pages;

	pace->passed = true;
	pace->passed_ns = look->now_ns;
	pace->passed_pages = look->usage.pages;
	pace->earliest_ns = look->now_ns + stood_ns * STOOD_PARTS;
	pace->wanted_since_ns = 0;
	if (gained_pages >= looked_at / GAIN_PART)
		pace->interval_ns = SHORTEST_NS;
	else if (pace->interval_ns < LONGEST_NS)
		pace->interval_ns = pace->interval_ns * 2 < LONGEST_NS ? pace->interval_ns * 2 : LONGEST_NS;
	pace->interval_ns = more_of(pace->interval_ns, SHORTEST_NS);
	/* What the pass itself changed is no growth. */
	pace->last = *look;
	pace->quiet_pages = look->usage.pages;
}

void ksr_pace_news(struct ksr_pace *pace)
{
	pace->interval_ns = NEWS_NS;
}
