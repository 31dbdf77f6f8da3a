/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a decision of the merge engine costs as the machine grows: bench/engine-scale builds it together with
 * mm/ksm_*.c of the patched kernel (tests/kernel/build-logic), which know no page.
 *
 *   engine-scale sched LANES PAGES   what ksmd asks the scheduler of hinted memory, LANES processes that
 *                                    have PAGES pages together
 *   engine-scale epoch LANES PAGES   all turns until each of the pages was visited, and how long a process
 *                                    waits
 *   engine-scale index KIND NODES    searches in a `tree` or a `hash` table of so many nodes
 *   engine-scale sites COUNT         the counters of one of so many sites of a process
 *   engine-scale peers COUNT         what stands for the places of one of so many sites
 *   engine-scale bytes               what is kept of each
 *
 * Prints a line for each thing that was measured: NAME, how often it was done, and nanoseconds in all; or
 * NAME and a number. Under callgrind with --instr-atstart=no, each is a dump of its own, of that name.
 */
#include <time.h>
#include <valgrind/callgrind.h>

#include "ksm_index.h"
#include "ksm_peers.h"
#include "ksm_sched.h"
#include "ksm_site.h"

#include "engine-random.h"

#define PRIORITY 8
/* pages_to_scan of bench/engine. */
#define BATCH 2000
#define PAGE_BYTES 4096UL
/* A struct ksm_rmap_item takes so many, its checksum and its node lie there. */
#define ITEM_BYTES 72

static double began;

static double now_ns(void)
{
	struct timespec time;

	/* Of this thread: what else runs takes none of it. */
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static void *must(void *memory)
{
	if (!memory) {
		fprintf(stderr, "engine-scale: not enough memory\n");
		exit(1);
	}
	return memory;
}

static void begin(void)
{
	CALLGRIND_START_INSTRUMENTATION;
	CALLGRIND_ZERO_STATS;
	began = now_ns();
}

static void end(const char *name, unsigned long times)
{
	double ns = now_ns() - began;

	CALLGRIND_DUMP_STATS_AT(name);
	CALLGRIND_STOP_INSTRUMENTATION;
	printf("%s %lu %.0f\n", name, times, ns);
}

/* ---- the scheduler ------------------------------------------------------------------------------ */

static struct ksm_sched sched;
static struct ksm_lane *lanes;
static unsigned long *served;	/* by lane: pages that were visited in all when it was served last */
static unsigned long lane_pages, visited;
static unsigned int lane_count;

static void make_lanes(unsigned int count, unsigned long pages)
{
	unsigned int i;

	lane_count = count;
	lane_pages = pages / count;
	lanes = must(calloc(count, sizeof(*lanes)));
	served = must(calloc(count, sizeof(*served)));
	ksm_sched_init(&sched);
	for (i = 0; i < count; i++) {
		ksm_lane_init(&lanes[i], &lanes[i]);
		ksm_lane_join(&sched, &lanes[i]);
		ksm_lane_add(&lanes[i], PRIORITY, false);
		ksm_lane_size(&lanes[i], lane_pages);
	}
	ksm_sched_epoch_begin(&sched, false);
}

/* What scan_begin_batch() asks some lanes, without what it asks of each mm before. */
static noinline void ask_lanes(void)
{
	struct ksm_lane *lane;

	while ((lane = ksm_sched_ask(&sched)))
		ksm_lane_size(lane, lane_pages);
}

/* A turn in which one page is visited that is not merged, or a pass ends. Returns false without work. */
static noinline bool take_turn(void)
{
	struct ksm_sched_class *class;
	unsigned int priority;
	struct ksm_lane *lane = ksm_sched_pick(&sched, &priority);

	if (!lane)
		return false;
	class = &lane->class[priority - 1];
	if (class->address >= lane_pages * PAGE_BYTES) {
		ksm_sched_pass_end(&sched, lane, priority);
		return true;
	}
	if (class->address < ksm_sched_limit(&sched, lane, priority)) {
		ksm_sched_visited(&sched, lane, priority, class->address + PAGE_BYTES, 1);
		ksm_lane_seen(lane, priority);
		visited++;
	}
	return true;
}

static void measure_sched(unsigned int count, unsigned long pages)
{
	unsigned long turns = 20000, i;

	make_lanes(count, pages);
	begin();
	for (i = 0; i < turns; i++)
		take_turn();
	end("turn", turns);
	begin();
	for (i = 0; i < 10; i++) {
		ksm_sched_batch(&sched, BATCH, 100);
		ask_lanes();
	}
	end("batch", 10);
	begin();
	for (i = 0; i < 10; i++) {
		ksm_sched_epoch_done(&sched);
		ksm_sched_epoch_begin(&sched, false);
	}
	end("epoch", 10);
	for (i = 0; i < count; i++)
		lanes[i].class[PRIORITY - 1].idle = KSM_SCHED_IDLE_PASSES;
	/* Once, somebody has to see of each that it rests. */
	take_turn();
	begin();
	for (i = 0; i < 10; i++)
		take_turn();
	end("idle", 10);
}

/* All turns of an epoch, in batches whose beginnings are left out: "batch" has them. */
static void measure_epoch(unsigned int count, unsigned long pages)
{
	unsigned long before, waited, longest = 0, lane_number;
	unsigned int left;
	double start;

	make_lanes(count, pages);
	start = now_ns();
	do {
		for (left = ksm_sched_batch(&sched, BATCH, 100); left;) {
			before = visited;
			if (!take_turn())
				break;
			if (visited == before)
				continue;
			left--;
			/* Who was served is the first of the queue. */
			lane_number = list_first_entry(&sched.queue, struct ksm_lane, node) - lanes;
			waited = before - served[lane_number];
			served[lane_number] = visited;
			longest = max(longest, waited);
		}
	} while (!ksm_sched_epoch_done(&sched));
	printf("epoch-turn %lu %.0f\nwait %lu\n", visited, now_ns() - start, longest);
}

/* ---- the index ---------------------------------------------------------------------------------- */

struct item {
	union {
		struct {
			struct ksm_index_node node;
			u32 checksum;
		};
		char bytes[ITEM_BYTES];
	};
};

static struct ksm_index contents;

/* Checksums of pages that differ are as good as random, and here no two are equal: each step can be undone. */
static u32 checksum_of(u32 number)
{
	number = (number ^ number >> 16) * 0x85ebca6bu;
	number = (number ^ number >> 13) * 0xc2b2ae35u;
	return number ^ number >> 16;
}

static noinline void insert(struct item *item)
{
	struct ksm_index_pos pos;

	ksm_index_find(&contents, item->checksum, &pos);
	ksm_index_insert(&contents, &item->node, &pos);
}

/* How many nodes a search in the tree comes by, or one in the table. */
static unsigned int steps(u32 checksum)
{
	struct rb_node *rb = contents.root.rb_node;
	struct hlist_node *hash;
	unsigned int count = 0;

	if (contents.buckets) {
		hash = contents.buckets[checksum >> (32 - contents.bits)].first;
		for (; hash; hash = hash->next, count++)
			if (((struct item *)hash)->checksum == checksum)
				return count + 1;
		return count;
	}
	while (rb) {
		u32 other = ((struct item *)rb)->checksum;

		count++;
		if (other == checksum)
			break;
		rb = checksum < other ? rb->rb_left : rb->rb_right;
	}
	return count;
}

static void search_all(const char *name, u32 nodes, u32 from, unsigned long times)
{
	struct ksm_index_pos pos;
	double sum = 0;
	unsigned long i, found = 0;

	begin();
	for (i = 0; i < times; i++)
		found += !!ksm_index_find(&contents, checksum_of(from + random_u64() % nodes), &pos);
	end(name, times);
	for (i = 0; i < times; i++)
		sum += steps(checksum_of(from + random_u64() % nodes));
	printf("%s-steps %.2f\n", name, sum / times);
	if (found != (from ? 0 : times)) {
		fprintf(stderr, "engine-scale: %lu were found\n", found);
		exit(1);
	}
}

static void measure_index(const char *kind, u32 nodes)
{
	struct item *items = must(calloc(nodes, sizeof(*items)));
	double longest = 0, start = now_ns(), one;
	unsigned long times = 20000;
	u32 i;

	ksm_index_init(&contents, KSM_INDEX_CHECKSUM(struct item, node, checksum));
	if (ksm_index_set_hash(&contents, !strcmp(kind, "hash")))
		must(NULL);
	for (i = 0; i < nodes; i++) {
		items[i].checksum = checksum_of(i);
		one = now_ns();
		insert(&items[i]);
		longest = max(longest, now_ns() - one);
	}
	printf("fill %u %.0f\nlongest-insert %.0f\n", nodes, now_ns() - start, longest);
	printf("table-bytes %.2f\n", contents.buckets ? (double)(sizeof(void *) << contents.bits) / nodes : 0.0);
	search_all("found", nodes, 0, times);
	search_all("missed", nodes, nodes, times);
	times = min(times, (unsigned long)nodes / 4);
	begin();
	for (i = 0; i < times; i++)
		ksm_index_erase(&contents, &items[i].node);
	end("erase", times);
	begin();
	for (i = 0; i < times; i++)
		insert(&items[i]);
	end("insert", times);
}

/* ---- sites -------------------------------------------------------------------------------------- */

static void measure_sites(unsigned long count)
{
	unsigned long i, times = 20000;
	static struct ksm_sites sites;

	ksm_sites_init(&sites);
	for (i = 0; i < count; i++)
		ksm_sites_get(&sites, i + 1, 1);
	begin();
	for (i = 0; i < times; i++)
		ksm_sites_get(&sites, 1 + random_u64() % count, 1);
	end("site", times);
}

static void measure_peers(unsigned long count)
{
	struct ksm_peers **peers = must(calloc(count, sizeof(*peers)));
	unsigned long i, times = 2000;

	for (i = 0; i < count; i++)
		peers[i] = must(ksm_peers_get(i + 1, 0));
	begin();
	for (i = 0; i < times; i++)
		ksm_peers_put(must(ksm_peers_get(1 + random_u64() % count, 0)));
	end("join", times);
	times = 20000;
	begin();
	for (i = 0; i < times; i++) {
		struct ksm_peers *one = peers[random_u64() % count];

		if (ksm_peers_worth(one))
			ksm_peers_tried(one, random_u64() % 8 == 0);
	}
	end("worth", times);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	unsigned long first = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned long second = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

	if (!strcmp(what, "bytes"))
		printf("lane %zu\nsite %zu\nnode %zu\n", sizeof(struct ksm_lane), sizeof(struct ksm_site),
		       sizeof(struct ksm_index_node));
	else if (!strcmp(what, "sched") && first && second)
		measure_sched(first, second);
	else if (!strcmp(what, "epoch") && first && second)
		measure_epoch(first, second);
	else if (!strcmp(what, "index") && second)
		measure_index(argv[2], second);
	else if (!strcmp(what, "sites") && first)
		measure_sites(first);
	else if (!strcmp(what, "peers") && first)
		measure_peers(first);
	else
		return fprintf(stderr, "usage: engine-scale sched|epoch|index|sites|peers|bytes ...\n"), 2;
	return 0;
}
