/* SPDX-License-Identifier: BSD-2-Clause */
/* The heap of libksmalloc-python.so: places, streams, what children have in common, what is given back. */
#include "slabs.h"

#include "pieces.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRIDE	(256 * KSM_MIB)
#define STREAMS 8u
#define ANCHORED 4u
#define LIVE	4000u

#include "source.h"

static bool goes_on_later;
static uint32_t added; /* of 64 bytes */

static bool moved(unsigned int of)
{
	(void)of;
	return goes_on_later;
}

static void note_added(size_t size, uint32_t number)
{
	if (size == 64)
		added = number;
}

/* Each thread of these tests has one stream, but for the last four of them, which one thread has. */
static unsigned int among(unsigned int of, unsigned int count)
{
	return of < STREAMS - ANCHORED ? of : STREAMS - ANCHORED + of % ANCHORED % count;
}

static void start(void)
{
	struct ksp_source source = { .memory = make_source(), .moved = moved, .added = note_added };

	ksp_start(&source);
}

TestSuite(slabs, .init = start, .timeout = KSM_CASE_SECONDS);

static void *make(size_t size)
{
	void *p = size <= KSP_FINE ? ksp_try_alloc(size) : NULL;

	return p ? p : ksp_alloc_slowly(ksp_class(size));
}

static void move(unsigned int to)
{
	stream = to;
	ksp_moved();
}

/* Makes objects until one has the place of another, which is after what is left of a row. */
static void make_until(size_t size, const void *place)
{
	unsigned int count = 0;

	while (make(size) != place)
		cr_assert_leq(++count, 64, "the place that is next is not used");
}

static unsigned int stream_of(const void *p)
{
	return (unsigned int)((uintptr_t)((const char *)p - memory) / STRIDE);
}

static uint64_t state = 7;

static uint32_t draw(uint32_t below)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((state >> 33) % below);
}

static size_t any_size(void)
{
	return 1 + draw(draw(4) ? 200 : KSP_LARGEST);
}

Test(slabs, classes_hold_their_sizes)
{
	for (size_t size = 1; size <= KSP_LARGEST; size++) {
		unsigned int class = ksp_class(size);

		cr_assert_lt(class, KSP_CLASSES);
		cr_assert_geq(ksp_class_size(class), size);
		cr_assert(class == 0 || ksp_class_size(class - 1) < size);
		cr_assert_eq(ksp_class_size(class) % 16, 0);
	}
}

/* Every place of every class, of pieces and of slabs: apart, as large as said, and found again when freed. */
Test(slabs, places_do_not_overlap)
{
	for (unsigned int class = 0; class < KSP_CLASSES; class++) {
		size_t size = ksp_class_size(class);
		size_t count = 3 * KSP_SLAB / size;
		unsigned char *all[3 * KSP_SLAB / 16];

		for (size_t i = 0; i < count; i++) {
			all[i] = make(size);
			cr_assert(all[i] && (uintptr_t)all[i] % 16 == 0 && ksp_holds(all[i]));
			cr_assert_eq(ksp_size(all[i]), size);
			memset(all[i], (int)i, size);
		}
		for (size_t i = 0; i < count; i++) {
			for (size_t b = 0; b < size; b++)
				cr_assert_eq(all[i][b], (unsigned char)i, "class %u, object %zu", class, i);
			ksp_free(all[i]);
		}
	}
}

Test(slabs, the_plan_of_pieces_fits)
{
	static bool is_used[KSP_MIXED_SLABS][KSP_MIXED_ROWS];

	for (unsigned int class = 0; class < KSP_CLASSES; class++) {
		cr_assert_leq(ksp_pieces_of(class), KSP_MOST_PIECES);
		for (unsigned int i = 0; i < ksp_pieces_of(class); i++) {
			const struct ksp_piece *piece = ksp_piece(class, i);

			cr_assert_lt(piece->slab, KSP_MIXED_SLABS);
			cr_assert_eq(ksp_piece_of_mixed(piece->slab), i);
			cr_assert_leq(piece->row + piece->rows, KSP_MIXED_ROWS);
			cr_assert_geq(piece->rows * KSP_ROW, ksp_class_size(class));
			cr_assert_geq(piece->row * KSP_ROW, sizeof(struct ksp_slab));
			for (unsigned int row = piece->row; row < piece->row + piece->rows; row++) {
				cr_assert_not(is_used[piece->slab][row]);
				is_used[piece->slab][row] = true;
			}
		}
	}
}

Test(slabs, random_use_keeps_contents)
{
	static struct {
		unsigned char *p;
		size_t size;
		unsigned char byte;
	} live[LIVE];

	for (unsigned int step = 0; step < 400000; step++) {
		uint32_t i = draw(LIVE);

		if (step % 1000 == 0)
			move(draw(STREAMS));
		if (live[i].p) {
			for (size_t b = 0; b < live[i].size; b++)
				cr_assert_eq(live[i].p[b], live[i].byte);
			ksp_free(live[i].p);
			live[i].p = NULL;
		} else {
			live[i].size = any_size();
			live[i].byte = (unsigned char)draw(256);
			live[i].p = make(live[i].size);
			cr_assert(live[i].p);
			cr_assert_eq(among(stream_of(live[i].p), 1), among(stream, 1), "another thread's");
			memset(live[i].p, live[i].byte, live[i].size);
		}
	}
}

/* What is free in a slab of another stream is not used. */
Test(slabs, new_objects_are_of_the_current_stream)
{
	void *first[100];

	for (unsigned int i = 0; i < 100; i++)
		first[i] = make(64);
	move(3);
	for (unsigned int i = 0; i < 100; i++)
		ksp_free(first[i]);
	for (unsigned int i = 0; i < 1000; i++)
		cr_assert_eq(stream_of(make(64)), 3);
	move(0);
	make_until(64, first[0]);
}

/* Of a class's free places the lowest is next, whatever the order in which they were freed. */
Test(slabs, the_lowest_place_is_next)
{
	enum { COUNT = 5000 };
	static char *all[COUNT];

	for (unsigned int i = 0; i < COUNT; i++)
		all[i] = make(48);
	for (unsigned int i = 0; i < COUNT; i++)
		cr_assert(i == 0 || all[i] > all[i - 1]);
	for (unsigned int i = 1; i < COUNT; i += 2)
		ksp_free(all[(i * 1237 % COUNT) | 1]);
	make_until(48, all[1]);
	for (unsigned int i = 3; i + 128 < COUNT; i += 2)
		cr_assert_eq(make(48), all[i], "object %u", i);
}

/* --- children ------------------------------------------------------------------------------- */

#define CHILD_BYTES (8 * KSM_MIB)

struct record {
	struct record *before;
	uint64_t number;
};

/* What a worker does after the fork. Each object names the one before if asked, so that content follows from places. */
static void work(unsigned int detour, bool linked)
{
	static struct record *live[5 * LIVE];
	struct record *before = NULL;
	void *extra[40];

	state = 11;
	for (uint64_t step = 0; step < 200000; step++) {
		uint32_t i = draw(5 * LIVE);

		if (step == 150000) {
			for (unsigned int k = 0; k < detour; k++)
				extra[k] = make(64);
			for (unsigned int k = 0; k < detour; k++)
				ksp_free(extra[k]);
		}
		if (live[i] && live[i] != before) {
			memset(live[i], 0, sizeof(**live));
			ksp_free(live[i]);
			live[i] = NULL;
		} else if (!live[i]) {
			live[i] = make(sizeof(struct record) + draw(400));
			cr_assert(live[i]);
			*live[i] = (struct record){ linked ? before : NULL, step };
			before = live[i];
		}
	}
}

/*
 * Percent of the pages of stream 1 that differ between two children, of masters that had made more or
 * fewer objects.
 */
static size_t differing(unsigned int detour)
{
	char *shown = mmap(NULL, 2 * CHILD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t written = 0;
	size_t differ = 0;

	cr_assert_neq(shown, MAP_FAILED);
	for (unsigned int child = 0; child < 2; child++) {
		int status = 1;
		pid_t pid;

		for (unsigned int i = 0; i < 777 * child; i++)
			make(any_size());
		pid = fork();
		if (pid == 0) {
			move(1);
			work(child * detour, detour == 0);
			memcpy(shown + child * CHILD_BYTES, memory + STRIDE, CHILD_BYTES);
			_exit(0);
		}
		cr_assert(waitpid(pid, &status, 0) == pid && status == 0);
	}
	for (size_t at = 0; at < CHILD_BYTES; at += 4096) {
		written += shown[at] || memcmp(shown + at, shown + at + 1, 4095) != 0;
		differ += memcmp(shown + at, shown + CHILD_BYTES + at, 4096) != 0;
	}
	cr_assert_gt(written, 500);
	return (100 * differ + written - 1) / written;
}

Test(slabs, children_are_equal)
{
	cr_assert_eq(differing(0), 0);
}

/* Objects that one child makes for a while move few of the others: those of their class, until these die. */
Test(slabs, children_stay_alike_after_a_detour)
{
	size_t percent = differing(40);

	cr_assert_leq(percent, 5, "%zu %% of the pages differ", percent);
}

/* --- anchors -------------------------------------------------------------------------------- */

/* So many objects of 64 bytes are there that anchors are worth following. */
enum { RECORDS = 2000, NOT_SMALL = 80000 };

/*
 * Where a child has its records, after it has made some objects more than others and freed a part of them. to is
 * the stream that it goes to before it makes them.
 */
static void make_records(unsigned int more, unsigned int to, void **records)
{
	void *extra[8] = { NULL };

	move(STREAMS - ANCHORED);
	for (unsigned int i = 0; i < NOT_SMALL; i++)
		make(64);
	for (unsigned int i = 0; i < more; i++)
		extra[i] = make(64);
	for (unsigned int i = 0; i < more; i += 2)
		ksp_free(extra[i]);
	move(to);
	for (unsigned int i = 0; i < RECORDS; i++)
		records[i] = make(64);
}

/* How many records have equal addresses in two children. */
static unsigned int equal_records(unsigned int to)
{
	void **records = mmap(NULL, 2 * RECORDS * sizeof(*records), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			      -1, 0);
	unsigned int equal = 0;

	cr_assert_neq(records, MAP_FAILED);
	for (unsigned int child = 0; child < 2; child++) {
		int status = 1;
		pid_t pid = fork();

		if (pid == 0) {
			make_records(child * 7, to, records + child * RECORDS);
			_exit(0);
		}
		cr_assert(waitpid(pid, &status, 0) == pid && status == 0);
	}
	for (unsigned int i = 0; i < RECORDS; i++)
		equal += records[i] == records[RECORDS + i];
	return equal;
}

Test(slabs, a_difference_before_an_anchor_moves_nothing_behind_it)
{
	cr_assert_eq(equal_records(STREAMS - 1), RECORDS);
	cr_assert_lt(equal_records(STREAMS - ANCHORED), RECORDS / 10, "there is no difference, so the test shows nothing");
}

/* Places of 64 bytes that a child has, where it makes some objects of another size meanwhile. */
static void make_beside(unsigned int others, void **records)
{
	for (unsigned int i = 0; i < RECORDS; i++) {
		if (i % 100 == 0 && others) {
			make(80 + 16 * (i / 100));
			make(2000);
		}
		records[i] = make(64);
	}
}

/* One object more does not decide where the slabs of other classes lie. */
Test(slabs, a_class_moves_no_other_class)
{
	void **records = mmap(NULL, 2 * RECORDS * sizeof(*records), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			      -1, 0);

	cr_assert_neq(records, MAP_FAILED);
	for (unsigned int child = 0; child < 2; child++) {
		int status = 1;
		pid_t pid = fork();

		if (pid == 0) {
			make_beside(child, records + child * RECORDS);
			_exit(0);
		}
		cr_assert(waitpid(pid, &status, 0) == pid && status == 0);
	}
	for (unsigned int i = 0; i < RECORDS; i++)
		cr_assert_eq(records[i], records[RECORDS + i], "object %u", i);
}

/* Where the source says so, the caller chooses the moment. */
Test(slabs, a_thread_goes_on_when_it_is_told)
{
	goes_on_later = true;
	move(STREAMS - ANCHORED);
	cr_assert_not(ksp_go_on(false));
	make(64);
	move(STREAMS - 1);
	for (unsigned int i = 0; i < 200; i++)
		cr_assert_eq(stream_of(make(64)), STREAMS - ANCHORED);
	cr_assert(ksp_go_on(true));
	cr_assert_eq(stream_of(make(64)), STREAMS - 1);
	cr_assert_not(ksp_go_on(false));
	goes_on_later = false;
}

/* Also where a row has one place only. */
Test(slabs, a_mark_tells_of_new_objects)
{
	for (unsigned int i = 0; i < 2000; i++) {
		size_t size = i % 2 ? 64 : 512;
		uint64_t mark = ksp_mark();
		void *p;

		cr_assert_eq(ksp_mark(), mark);
		p = make(size);
		cr_assert_neq(ksp_mark(), mark, "object %u", i);
		if (i % 3 == 0)
			ksp_free(p);
	}
}

/* The source is told of a class's pieces and slabs in their order. */
Test(slabs, what_is_added_is_told)
{
	for (uint32_t number = 0; number < 100; number++) {
		while (added < number)
			make(64);
		cr_assert_eq(added, number);
	}
}

/* Whichever its rank, since what lies before it differs the most; others of a good rank, in a heap that is not small. */
Test(slabs, the_first_anchor_is_followed)
{
	has_rank = true;
	rank = 1;
	move(STREAMS - ANCHORED);
	make(64);
	move(STREAMS - ANCHORED + 1);
	cr_assert_eq(stream_of(make(64)), STREAMS - ANCHORED + 1);
	rank = 0;
	move(STREAMS - 1);
	cr_assert_eq(stream_of(make(64)), STREAMS - ANCHORED + 1);
	for (unsigned int i = 0; i < NOT_SMALL; i++)
		make(64);
	move(STREAMS - 2);
	cr_assert_eq(stream_of(make(64)), STREAMS - 2);
}

/* Which anchors are followed does not say where they lead: all streams are used, however few are worth it. */
Test(slabs, ranks_decide_what_is_followed)
{
	enum { STAYS = 64 };
	bool used[ANCHORED] = { false };

	has_rank = true;
	/* The first ones are followed anyway. */
	move(STREAMS - 1);
	for (unsigned int i = 0; i < NOT_SMALL; i++)
		make(64);
	for (unsigned int stay = 0; stay < 8; stay++, make(64))
		move(STREAMS - 2 - stay % 2);
	for (uint32_t stay = 0; stay < STAYS * ANCHORED; stay++) {
		unsigned int to = STREAMS - ANCHORED + stay % ANCHORED;
		unsigned int before = stream_of(make(64));

		/* One of 64 has such a rank, and leads to whichever stream. */
		rank = stay % STAYS == stay / STAYS ? 0 : 1;
		move(to);
		cr_assert(rank || stream_of(make(64)) == to, "stay %u", stay);
		cr_assert(!rank || stream_of(make(64)) == before, "stay %u", stay);
		used[to - (STREAMS - ANCHORED)] |= !rank;
	}
	for (unsigned int i = 0; i < ANCHORED; i++)
		cr_assert(used[i], "stream %u", i);
}

/* A few objects after each of many anchors: a part of what there is may be left unused, and no more. */
Test(slabs, anchors_cost_little_memory)
{
	enum { STAYS = 2000, OBJECTS = 40 };
	struct ksp_counts counts;

	for (unsigned int stay = 0; stay < STAYS; stay++) {
		move(STREAMS - ANCHORED + draw(ANCHORED));
		for (unsigned int i = 0; i < OBJECTS; i++)
			make(16 + 16 * draw(8));
	}
	ksp_count(&counts);
	/* 72 bytes on the average. Slabs that are touched in a part only count whole. */
	cr_assert_leq(counts.slabs * KSP_SLAB, 140 * STAYS * OBJECTS, "%zu slabs", counts.slabs);
}

/* --- memory --------------------------------------------------------------------------------- */

/* Slabs that become empty behind an anchor: none are kept for new objects that never come. */
Test(slabs, what_new_objects_do_not_come_from_is_given_back)
{
	enum { COUNT = 2000, CLASSES = 8 };
	static void *all[CLASSES][COUNT];
	struct ksp_counts counts;

	goes_on_later = true;
	move(STREAMS - ANCHORED);
	for (unsigned int i = 0; i < COUNT * CLASSES; i++)
		all[i % CLASSES][i / CLASSES] = make(64 + i % CLASSES * 16);
	move(STREAMS - 1);
	make(16);
	for (unsigned int i = 0; i < COUNT; i++)
		ksp_free(all[0][i]);
	ksp_count(&counts);
	cr_assert_geq(counts.dirty, 1, "no slab was kept, so the test shows nothing");
	cr_assert(ksp_go_on(true));
	ksp_count(&counts);
	cr_assert_eq(counts.dirty, 0, "%zu empty slabs are kept", counts.dirty);
	for (unsigned int i = COUNT; i < COUNT * CLASSES; i++)
		ksp_free(all[i / COUNT][i % COUNT]);
	ksp_count(&counts);
	cr_assert_eq(counts.dirty, 0, "%zu empty slabs are kept", counts.dirty);
	goes_on_later = false;
}

Test(slabs, freed_slabs_are_given_back)
{
	enum { COUNT = 200000 };
	static void *all[COUNT];
	struct ksp_counts counts;

	for (unsigned int round = 0; round < 3; round++) {
		size_t size = 64 + 16 * round;

		for (unsigned int i = 0; i < COUNT; i++)
			all[i] = memset(make(size), 1, size);
		for (unsigned int i = 0; i < COUNT; i++)
			ksp_free(all[i]);
		ksp_count(&counts);
		cr_assert_leq(counts.slabs, 72, "%zu slabs are left", counts.slabs);
		cr_assert_geq(given_back, (round + 1) * (COUNT * 60));
	}
}

/* A loop that needs the same memory again each time has it at hand after it was given back once. */
Test(slabs, what_is_needed_again_is_kept)
{
	enum { COUNT = 20000 };
	static void *all[COUNT];
	size_t before = 0;

	for (unsigned int round = 0; round < 6; round++) {
		if (round == 3)
			before = given_back;
		for (unsigned int i = 0; i < COUNT; i++)
			all[i] = make(64 + 16 * (i % 2));
		for (unsigned int i = 0; i < COUNT; i++)
			ksp_free(all[i]);
	}
	cr_assert_gt(before, 0, "nothing was given back, so the test shows nothing");
	cr_assert_eq(given_back, before);
}

Test(slabs, without_memory_there_is_none)
{
	void *p = make(100);

	cr_assert(p);
	is_full = true;
	while (make(100))
		;
	while (make(2000))
		;
	ksp_free(p);
	cr_assert_eq(make(100), p);
	is_full = false;
	cr_assert(make(2000) && make(100));
	is_full = true;
	move(2);
	cr_assert_null(make(16));
	is_full = false;
	cr_assert_eq(stream_of(make(16)), 2);
}

/* All of it, in slabs that hold nothing and in such that are half full, whichever anchor it was made after. */
Test(slabs, without_memory_for_more_what_other_streams_have_left_is_used)
{
	enum { COUNT = 20000 };
	static void *all[COUNT];
	unsigned int half = COUNT / 2;

	for (unsigned int i = 0; i < COUNT; i++) {
		if (i % half == 0)
			move(STREAMS - ANCHORED + i / half);
		all[i] = make(i < half ? 64 : 560);
	}
	move(STREAMS - 1);
	make(64);
	make(560);
	is_full = true;
	while (make(64) || make(560))
		;
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = round % 2; i < COUNT; i += 1 + round % 2)
			ksp_free(all[i]);
		for (unsigned int i = round % 2; i < COUNT; i += 1 + round % 2) {
			all[i] = make(i < half ? 64 : 560);
			cr_assert(all[i], "round %u, object %u", round, i);
		}
		cr_assert(!make(64) && !make(560));
	}
}
