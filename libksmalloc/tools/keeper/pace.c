/* SPDX-License-Identifier: BSD-2-Clause */
#include "keeper/pace.h"

#define SECOND UINT64_C(1000000000)
/* Below that a process is not worth a stop; and below that where the rest is shared, or was written to since. */
#define LEAST_PAGES 2048
#define LEAST_LEFT 64
/* It grows while it has gained that part within the time of quiet, or that many pages where that is more. */
#define GROWTH_PART 64
#define GROWTH_PAGES 256
#define QUIET_NS (SECOND / 5)
#define QUIET_BUSY_NS (2 * SECOND)
/* It rests while it runs for less than that part of the time. */
#define REST_PART 16
/* So much is new since the last pass that the next one need not wait for its time. */
#define NEW_PART 16
/* Growing and busy processes are waited for so long. */
#define PATIENCE_NS (30 * SECOND)
/* A pass that changed less than that part of what it looked at makes the next one come later. */
#define GAIN_PART 256
#define SHORTEST_NS (SECOND / 5)
#define LONGEST_NS (600 * SECOND)
#define REFUSED_NS (10 * SECOND)
/* In passes that give nothing it stands for one part of so many. */
#define STOOD_PARTS 100
/* A busy one runs for so many times as long as it stood, between two stops; it is busy in so many parts of the time. */
#define PAUSE_TIMES 50
#define BUSY_PARTS 4

static uint64_t more_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t less_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void ksr_pace_begin(struct ksr_pace *pace, const struct ksr_look *look)
{
	*pace = (struct ksr_pace){
		.last = *look,
		.quiet_since_ns = look->now_ns,
		.quiet_pages = look->usage.pages,
		.still_since_ns = look->now_ns,
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

/* Has it loaded what it loads, as far as can be told? */
static bool is_ready(const struct ksr_pace *pace, const struct ksr_look *look)
{
	uint64_t span = look->now_ns - pace->last.now_ns;
	uint64_t ran = look->usage.cpu_ns - pace->last.usage.cpu_ns;
	uint64_t quiet = look->now_ns - pace->quiet_since_ns;

	if (quiet == 0)
		return false;
	if (look->usage.sleeps && ran < span / REST_PART)
		return true;
	/* More than half of a processor: somebody waits for an answer. */
	return quiet >= (ran > span / 2 ? QUIET_BUSY_NS : QUIET_NS);
}

static bool is_too_small(const struct ksr_pace *pace, const struct ksr_look *look)
{
	return look->usage.pages < (pace->has_shared ? LEAST_LEFT : LEAST_PAGES);
}

/* Is there something to be gained? */
static bool is_wanted(const struct ksr_pace *pace, const struct ksr_look *look)
{
	uint64_t pages = look->usage.pages;

	if (is_too_small(pace, look))
		return false;
	if (!pace->passed || look->now_ns - pace->passed_ns >= pace->interval_ns)
		return true;
	return pages > pace->passed_pages + more_of(pace->passed_pages / NEW_PART, LEAST_PAGES);
}

static bool is_wanted_by_news(const struct ksr_pace *pace, const struct ksr_look *look)
{
	return pace->has_news && !is_too_small(pace, look) && look->now_ns - pace->passed_ns >= pace->news_ns;
}

bool ksr_pace_is_due(struct ksr_pace *pace, const struct ksr_look *look)
{
	bool by_news = is_wanted_by_news(pace, look);
	bool is_early = !by_news && look->now_ns < pace->earliest_ns;
	bool ready;

	note_growth(pace, look);
	ready = is_ready(pace, look);
	if (look->usage.cpu_ns != pace->last.usage.cpu_ns || !look->usage.sleeps)
		pace->still_since_ns = look->now_ns;
	pace->last = *look;
	if (!by_news && !is_wanted(pace, look)) {
		pace->wanted_since_ns = 0;
		return false;
	}
	if (!pace->wanted_since_ns)
		pace->wanted_since_ns = look->now_ns;
	if (is_early)
		return false;
	return ready || look->now_ns - pace->wanted_since_ns >= PATIENCE_NS;
}

static uint64_t longer(uint64_t interval_ns)
{
	return less_of(more_of(2 * interval_ns, SHORTEST_NS), LONGEST_NS);
}

void ksr_pace_passed(struct ksr_pace *pace, const struct ksr_look *look, uint64_t changed_pages, uint64_t stood_ns)
{
	uint64_t looked_at = look->usage.pages + changed_pages;
	bool was_useful = changed_pages > 0 && changed_pages >= looked_at / GAIN_PART;

	pace->passed_ns = look->now_ns;
	pace->passed_pages = look->usage.pages;
	pace->earliest_ns = was_useful ? 0 : look->now_ns + stood_ns * STOOD_PARTS;
	pace->wanted_since_ns = 0;
	pace->interval_ns = was_useful ? SHORTEST_NS : longer(pace->interval_ns);
	if (was_useful || pace->has_news)
		pace->news_ns = was_useful ? 0 : longer(pace->news_ns);
	pace->has_news = false;
	pace->passed = true;
	pace->has_shared = pace->has_shared || changed_pages > 0;
	/* What the pass itself changed is no growth. */
	pace->last = *look;
	pace->quiet_pages = look->usage.pages;
	pace->still_since_ns = look->now_ns;
}

void ksr_pace_refused(struct ksr_pace *pace, const struct ksr_look *look, uint64_t stood_ns)
{
	ksr_pace_passed(pace, look, 0, stood_ns);
	pace->interval_ns = more_of(pace->interval_ns, REFUSED_NS);
	pace->news_ns = more_of(pace->news_ns, REFUSED_NS);
	pace->earliest_ns = more_of(pace->earliest_ns, look->now_ns + REFUSED_NS);
}

void ksr_pace_news(struct ksr_pace *pace)
{
	pace->has_news = true;
}

uint64_t ksr_pace_still_ns(const struct ksr_pace *pace)
{
	return pace->last.now_ns - pace->still_since_ns;
}

static uint64_t root_of(uint64_t square)
{
	uint64_t root = square;

	for (uint64_t next = (square + 1) / 2; next < root; next = (root + square / root) / 2)
		root = next;
	return root;
}

/*
 * The pause p after it stood for s has to be s + PAUSE_TIMES * s * BUSY_PARTS * ran / p, at most s + PAUSE_TIMES * s. In
 * microseconds, so that the squares have room.
 */
uint64_t ksr_pace_pause(uint64_t stood_ns, uint64_t ran_ns)
{
	uint64_t stood = less_of(stood_ns, SECOND) / 1000;
	uint64_t ran = less_of(ran_ns, 100 * SECOND) / 1000;
	uint64_t most_ns = stood_ns + PAUSE_TIMES * stood_ns;
	uint64_t pause = (stood + root_of(stood * stood + 4 * PAUSE_TIMES * BUSY_PARTS * stood * ran)) / 2;

	return less_of(more_of(pause * 1000, stood_ns), most_ns);
}
