/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine-rules RULES MEMORY SECONDS: by which rules are equal pages found with the least work?
 *
 * Four processes have 32 MiB each, in eight regions, whose pages are numbers that stand for contents. Each
 * 20 ms, 2000 visits are made by the RULES:
 *
 *   stock     all memory in turn; a page is tried when a checksum of all of it says that it has not changed
 *             between two visits, and looked for by its content; smart_scan
 *   hinted    the patched kernel, all of it hinted: its scheduler, probation, peers and index are the
 *             kernel's own (mm/ksm_*.c); pages are looked for by their checksum
 *   peers     the same with peers
 *   settled   the same without probation, as for memory that is hinted as settled
 *   8 words   as hinted, with hash_words at 8
 *   uksm      the rules that UKSM has published: regions on four levels, of which each has its part of the
 *             visits; a round samples a part of the region at random, the higher the more, and takes it a
 *             level up if enough of the samples were equal to something, down if not, and to the lowest if
 *             what was merged is broken; a page is tried at its first visit, by a hash of some of its words,
 *             whose number changes by what hashing and comparing in vain have cost
 *
 * MEMORY is one of bench/src/kernel-engine.c: static, prefix, zero, bursty, rewriting. Prints pages that were
 * visited, hashed and compared (parts of pages added up: a comparison ends where two pages differ), merged
 * and broken, and the integral of what was saved in MiB x s.
 */
#include "engine-pages.h"
#include "ksm_peers.h"

#define BATCH 2000
#define BATCHES_A_SECOND 50

/* Of UKSM. */
struct region {
	unsigned int level, cursor, round_left;
	unsigned int sampled, alike, broken;
};

static struct region regions[PROCESSES][REGIONS];
static u32 seen_checksum[PROCESSES][PAGES];

/* What all but UKSM do with a page. Returns true if it was merged. */
static bool visit(unsigned int process, unsigned int number, unsigned int visits, struct ksm_peers *peers)
{
	struct page *page = &pages[process][number], *peer = &pages[0][number];
	bool changed, with_peer, equal;
	u8 skips = 0;
	u32 checksum;

	visited++;
	if (page->stable || page->zero)
		return false;
	with_peer = peers && process && peer->stable && ksm_peers_worth(peers);
	if (with_peer) {
		equal = !compare(page->content, peer->content);
		ksm_peers_tried(peers, equal);
		if (equal) {
			join(page, peer->stable);
			return true;
		}
	}
	checksum = hash_of(page->content);
	changed = seen_checksum[process][number] != checksum;
	seen_checksum[process][number] = checksum;
	forget(page);
	if (!ksm_probation_visit(&page->probation, visits, changed, &skips))
		return false;
	if (page->content == ZERO) {
		merge_zero(page);
		return true;
	}
	return try_page(page, checksum);
}

/* smart_scan: who was not merged for long is left out in some scans. */
static bool leave_out(struct page *page)
{
	static const u8 most[] = { 3, 1, 5, 2, 8, 4, 255, 8 };
	unsigned int i;

	if (page->stable || page->zero)
		return false;
	if (page->age < 255)
		page->age++;
	if (page->age < 3)
		return false;
	if (page->skips) {
		page->skips--;
		forget(page);
		return true;
	}
	for (i = 0; page->age > most[i]; i += 2)
		;
	page->skips = most[i + 1];
	return false;
}

/* ---- the rules ---------------------------------------------------------------------------------- */

static void batch_stock(void)
{
	static unsigned int at;
	unsigned int left = BATCH, passed = 0;

	while (left && passed++ < PROCESSES * PAGES) {
		struct page *page = &pages[at / PAGES][at % PAGES];

		if (!leave_out(page)) {
			visit(at / PAGES, at % PAGES, 1, NULL);
			left--;
		}
		if (++at == PROCESSES * PAGES) {
			at = 0;
			next_epoch();
		}
	}
}

static struct ksm_sched sched;
static struct ksm_lane lanes[PROCESSES];
#define PRIORITY 8

static void begin_hinted(void)
{
	unsigned int i;

	ksm_sched_init(&sched);
	for (i = 0; i < PROCESSES; i++) {
		ksm_lane_init(&lanes[i], &lanes[i]);
		ksm_lane_join(&sched, &lanes[i]);
		ksm_lane_add(&lanes[i], PRIORITY, false);
	}
}

static void batch_hinted(unsigned int visits, struct ksm_peers *peers)
{
	unsigned int left = ksm_sched_batch(&sched, BATCH, 100), priority, process, number;
	struct ksm_sched_class *class;
	struct ksm_lane *lane;

	while (left) {
		lane = ksm_sched_pick(&sched, &priority);
		if (lane) {
			class = &lane->class[priority - 1];
			process = lane - lanes;
			number = class->address >> 12;
			if (number == PAGES) {
				ksm_sched_pass_end(&sched, lane, priority);
			} else {
				bool skip = leave_out(&pages[process][number]);
				double before = merged;

				if (!skip)
					visit(process, number, visits, peers);
				ksm_lane_earned(lane, priority, merged - before, 0);
				ksm_sched_visited(&sched, lane, priority, (number + 1ul) << 12, !skip);
				ksm_lane_seen(lane, priority);
				left -= !skip;
			}
		}
		if (ksm_sched_epoch_done(&sched)) {
			next_epoch();
			ksm_sched_epoch_begin(&sched, epoch % 8 == 0);
			break;
		}
		if (!lane)
			break;
	}
}

/* The numbers below are ours: what is published names the rules, and that all of these can be set. */
#define LEVELS 4
static const unsigned int level_part[LEVELS] = { 1, 2, 4, 8 };		/* of 15 visits */
static const unsigned int level_samples[LEVELS] = { 64, 16, 4, 1 };	/* one page in so many is sampled in a round */
#define ALIKE_PERCENT 10
#define BROKEN_PERCENT 50
#define STRENGTH_VISITS 4000
#define STILL_TIMES 50

/* What is merged is hashed again, and what waits is forgotten. */
static void hash_again(void)
{
	struct ksm_index_node *node, *next;
	struct ksm_index old = stable_index;

	next_epoch();
	ksm_index_reset(&stable_index);
	for (node = ksm_index_first(&old); node; node = next) {
		struct stable *stable = (struct stable *)node;
		double before = compared, before_vain = in_vain;
		struct ksm_index_pos pos;

		next = ksm_index_next(&old, node);
		ksm_index_erase(&old, node);
		stable->checksum = hash_of(stable->content);
		find_stable(stable->content, stable->checksum, &pos);
		ksm_index_insert(&stable_index, &stable->node, &pos);
		compared = before;
		in_vain = before_vain;
	}
}

static void set_words(unsigned int count)
{
	if (words == count)
		return;
	words = count;
	hash_again();
}

/*
 * What hashing and comparing in vain cost in the visits that were just made: try half as many words as long
 * as that is cheaper, then twice as many, and stay where it was cheapest for some time.
 */
static void choose_words(double cost)
{
	static enum { START, DOWN, UP, STILL } state;
	static unsigned int best_words, still;
	static double best;
	bool better = cost < best * 0.98;

	if (state == STILL && --still && cost < best * 1.5)
		return;
	if (state == START || state == STILL || better) {
		best = cost;
		best_words = words;
	}
	if (state == START || state == STILL) {
		state = DOWN;
	} else if (!better) {
		state = state == DOWN ? UP : STILL;
		still = STILL_TIMES;
	}
	if (state == STILL)
		set_words(best_words);
	else
		set_words(state == DOWN ? max(best_words / 2, 1u) : min(best_words * 2, (unsigned int)WORDS));
}

static void adapt_strength(void)
{
	static double last_visited, last_hashed, last_vain;

	if (visited - last_visited < STRENGTH_VISITS)
		return;
	choose_words((hashed - last_hashed + in_vain - last_vain) / (visited - last_visited));
	last_visited = visited;
	last_hashed = hashed;
	last_vain = in_vain;
}

static void visit_uksm(unsigned int process, struct region *region, unsigned int number)
{
	struct page *page = &pages[process][number];

	visited++;
	region->sampled++;
	if (page->stable || page->zero) {
		region->alike++;
		return;
	}
	if (page->content == ZERO) {
		compared += 1;
		merge_zero(page);
		region->alike++;
		return;
	}
	if (try_page(page, hash_of(page->content)))
		region->alike++;
}

static void end_round(struct region *region)
{
	if (region->broken * 100 > region->sampled * BROKEN_PERCENT)
		region->level = 0;
	else if (region->alike * 100 >= region->sampled * ALIKE_PERCENT && region->level < LEVELS - 1)
		region->level++;
	else if (region->alike * 100 < region->sampled * ALIKE_PERCENT && region->level)
		region->level--;
	region->sampled = region->alike = region->broken = 0;
	region->round_left = REGION_PAGES / level_samples[region->level];
}

/* By level: the region that has its round. Each has a round, in turn. */
static unsigned int turn[LEVELS];

static struct region *region_of(unsigned int level)
{
	unsigned int i;

	for (i = 0; i < PROCESSES * REGIONS; i++) {
		struct region *region = &regions[turn[level] / REGIONS][turn[level] % REGIONS];

		if (region->level == level)
			return region;
		turn[level] = (turn[level] + 1) % (PROCESSES * REGIONS);
	}
	return NULL;
}

static void batch_uksm(void)
{
	static unsigned int visits;
	unsigned int level, left, number, page;
	struct region *region;

	for (level = 0; level < LEVELS; level++) {
		for (left = BATCH * level_part[level] / 15; left; left--) {
			region = region_of(level);
			if (!region)
				break;
			number = turn[level];
			if (!region->round_left)
				region->round_left = REGION_PAGES / level_samples[level];
			/* All pages in turn on the highest level, else some at random. */
			page = level == LEVELS - 1 ? region->cursor++ % REGION_PAGES : random_u64() % REGION_PAGES;
			visit_uksm(number / REGIONS, region, number % REGIONS * REGION_PAGES + page);
			if (!--region->round_left) {
				end_round(region);
				turn[level] = (turn[level] + 1) % (PROCESSES * REGIONS);
			}
			adapt_strength();
			/* The unstable tree is built anew when as much was visited as there is. */
			if (++visits % (PROCESSES * PAGES) == 0)
				next_epoch();
		}
	}
}

/* ---- */

static void write_again(void)
{
	static unsigned int round;
	unsigned int p, i;

	round++;
	for (p = 0; p < PROCESSES; p++) {
		for (i = 0; i < kind->written * REGION_PAGES; i++) {
			struct page *page = &pages[p][i];

			if (page->stable || page->zero) {
				broken++;
				regions[p][i / REGION_PAGES].broken++;
				unmerge(page);
			}
			page->content = content_of(p, i, round);
		}
	}
}

static void fill(void)
{
	unsigned int p, i;

	for (p = 0; p < PROCESSES; p++)
		for (i = 0; i < PAGES; i++)
			pages[p][i].content = content_of(p, i, 0);
	ksm_index_init(&stable_index, KSM_INDEX_CHECKSUM(struct stable, node, checksum));
	ksm_index_init(&unstable_index, KSM_INDEX_CHECKSUM(struct page, node, checksum));
}

int main(int argc, char **argv)
{
	const char *rules = argc > 1 ? argv[1] : "";
	unsigned int seconds = argc > 3 ? atoi(argv[3]) : 0, batch, next = 1, i;
	struct ksm_peers *peers = NULL;
	double integral = 0;

	for (i = 0; argc > 2 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, argv[2]))
			kind = &kinds[i];
	if (!kind || !seconds)
		return fprintf(stderr, "usage: engine-rules stock|hinted|peers|settled|8 words|uksm MEMORY SECONDS\n"), 2;
	fill();
	by_content = !strcmp(rules, "stock");
	if (!strcmp(rules, "peers"))
		peers = ksm_peers_get(1, 0);
	if (!strcmp(rules, "8 words"))
		words = 8;
	begin_hinted();
	for (batch = 0; batch < seconds * BATCHES_A_SECOND; batch++) {
		if (kind->period && batch >= next * kind->period * BATCHES_A_SECOND) {
			write_again();
			next++;
		}
		if (by_content)
			batch_stock();
		else if (!strcmp(rules, "uksm"))
			batch_uksm();
		else
			batch_hinted(strcmp(rules, "settled") ? 1 : 0, peers);
		integral += saved * PAGE_MIB / BATCHES_A_SECOND;
	}
	printf("visited %.0f\nhashed %.1f\ncompared %.1f\nmerged %.0f\nbroken %.0f\nintegral %.2f\nsaved %.2f\nwords %u\n", visited,
	       hashed, compared, merged, broken, integral, saved * PAGE_MIB, words);
	return 0;
}
