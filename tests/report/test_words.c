/* SPDX-License-Identifier: BSD-2-Clause */
/* What a word is, what a page is, and where moved content lies. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "pages/masked.h"
#include "pages/words.h"

#define PAGE 4096
#define WORDS (PAGE / 8)
#define MARGIN (4 * PAGE)
#define SECOND UINT64_C(1000000000)
#define NOW (UINT64_C(1800000000) * SECOND)
#define UP (UINT64_C(500000) * SECOND)

enum { PROGRAM, HEAP, STACK, REGIONS };

/* Two processes; the heap of the second lies `moved` bytes higher. */
struct fixture {
	struct ksr_region regions[2][REGIONS];
	struct ksr_range ranges[2][REGIONS];
	struct ksr_space spaces[2];
	pid_t ids[2][4];
	uint32_t match[REGIONS];
	struct ksr_pair pair;
	struct ksr_word words[WORDS];
	struct ksr_page_diff result;
	unsigned char first[PAGE];
	unsigned char around[MARGIN + PAGE + MARGIN];
};

static void make_space(struct fixture *fixture, int which, uint64_t moved)
{
	struct ksr_region *regions = fixture->regions[which];
	struct ksr_range *ranges = fixture->ranges[which];
	struct ksr_space *space = &fixture->spaces[which];

	regions[PROGRAM] =
		(struct ksr_region){.kind = KSR_REGION_FILE, .base = 0x400000, .name = "/bin/p"};
	regions[HEAP] = (struct ksr_region){
		.kind = KSR_REGION_HEAP, .base = 0x10000000 + moved, .name = ""};
	regions[STACK] =
		(struct ksr_region){.kind = KSR_REGION_STACK, .base = 0x7fff0000, .name = ""};
	ranges[PROGRAM] = (struct ksr_range){0x400000, 0x500000, PROGRAM, true, 0, 0};
	ranges[HEAP] = (struct ksr_range){0x10000000 + moved, 0x20000000 + moved, HEAP, true, 0, 0};
	ranges[STACK] = (struct ksr_range){0x7ffe0000, 0x7fff0000, STACK, true, 0, 0};
	fixture->ids[which][0] = 4000 + which * 77;
	fixture->ids[which][1] = 12 + which; /* in a container */
	fixture->ids[which][2] = 3000;
	fixture->ids[which][3] = 4001 + which * 77;
	*space = (struct ksr_space){.regions = regions,
				    .region_count = REGIONS,
				    .ranges = ranges,
				    .range_count = REGIONS,
				    .page_bytes = PAGE};
	space->identity = (struct ksr_identity){.ids = fixture->ids[which],
						.id_count = 4,
						.real_begin = NOW - 100 * SECOND,
						.real_end = NOW,
						.boot_begin = UP - 100 * SECOND,
						.boot_end = UP,
						.has_random = true};
	for (int i = 0; i < KSR_IDENTITY_RANDOM; i++)
		space->identity.random[i] = (unsigned char)(17 + 31 * i + 97 * which);
}

static void setup(struct fixture *fixture, uint64_t moved)
{
	uint64_t state = 88172645463325252;

	memset(fixture, 0, sizeof(*fixture));
	make_space(fixture, 0, 0);
	make_space(fixture, 1, moved);
	for (uint32_t i = 0; i < REGIONS; i++)
		fixture->match[i] = i;
	fixture->pair = (struct ksr_pair){.spaces = {&fixture->spaces[0], &fixture->spaces[1]},
					  .match = fixture->match,
					  .few = KSR_FEW_WORDS};
	fixture->result.words = fixture->words;
	for (size_t i = 0; i < sizeof(fixture->around); i += 8) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(fixture->around + i, &state, 8);
	}
	memcpy(fixture->first, fixture->around + MARGIN, PAGE);
}

static enum ksr_cause cause(uint64_t a, uint64_t b)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	return ksr_word_classify(&fixture.pair, a, b).cause;
}

static uint64_t random_of(int which, size_t offset)
{
	static struct fixture fixture;
	uint64_t word;

	setup(&fixture, 0);
	memcpy(&word, fixture.spaces[which].identity.random + offset, 8);
	return word;
}

static uint64_t mangle(uint64_t value, int which)
{
	value ^= random_of(which, 8);
	return value << 17 | value >> 47;
}

Test(words, test_classify_pointers)
{
	static struct fixture fixture;
	struct ksr_word word;

	setup(&fixture, 0);
	word = ksr_word_classify(&fixture.pair, 0x10000100, 0x10000180);
	cr_assert_eq(word.cause, KSR_CAUSE_POINTER_SHIFTED);
	cr_assert_eq(word.target, HEAP);
	cr_assert_eq(word.delta, 0x80);
	word = ksr_word_classify(&fixture.pair, 0x7ffef000, 0x7ffeeff0);
	cr_assert_eq(word.target, STACK);
	cr_assert_eq(word.delta, -0x10);
	cr_assert_eq(cause(0x400010, 0x10000000), KSR_CAUSE_POINTER_OTHER);
	/* The end of a mapping is none of its addresses. */
	cr_assert_neq(cause(0x10000000, 0x20000000), KSR_CAUSE_POINTER_SHIFTED);
}

Test(words, test_classify_pointers_of_other_layouts)
{
	static struct fixture fixture;
	struct ksr_word word;

	setup(&fixture, 0x100000000);
	word = ksr_word_classify(&fixture.pair, 0x10000100, 0x110000100);
	cr_assert_eq(word.cause, KSR_CAUSE_POINTER_LAYOUT);
	cr_assert_eq(word.delta, 0);
	word = ksr_word_classify(&fixture.pair, 0x10000100, 0x110000110);
	cr_assert_eq(word.cause, KSR_CAUSE_POINTER_SHIFTED);
	cr_assert_eq(word.delta, 0x10);
}

Test(words, test_classify_random_bytes)
{
	cr_assert_eq(cause(random_of(0, 0), random_of(1, 0)), KSR_CAUSE_RANDOM);
	cr_assert_eq(cause(random_of(0, 0) & ~UINT64_C(255), random_of(1, 0) & ~UINT64_C(255)),
		     KSR_CAUSE_RANDOM);
	cr_assert_eq(cause(random_of(0, 8), random_of(1, 8)), KSR_CAUSE_RANDOM);
	cr_assert_eq(cause(random_of(0, 0), random_of(1, 8)), KSR_CAUSE_NOISE);
	cr_assert_eq(cause(mangle(0x7ffef000, 0), mangle(0x7ffef020, 1)), KSR_CAUSE_MANGLED);
	cr_assert_eq(cause(mangle(0x400100, 0), mangle(0x400100, 1)), KSR_CAUSE_MANGLED);
	cr_assert_eq(cause(mangle(0, 0), mangle(0, 1)), KSR_CAUSE_MANGLED);
	cr_assert_eq(cause(mangle(5, 0), mangle(5, 1)), KSR_CAUSE_NOISE);
}

Test(words, test_classify_ids)
{
	cr_assert_eq(cause(4000, 4077), KSR_CAUSE_ID);
	cr_assert_eq(cause(4001, 4078), KSR_CAUSE_ID, "threads");
	cr_assert_eq(cause(4000 | UINT64_C(9) << 32, 4077 | UINT64_C(9) << 32), KSR_CAUSE_ID);
	cr_assert_eq(cause(UINT64_C(4000) << 32 | 5, UINT64_C(4077) << 32 | 5), KSR_CAUSE_ID);
	/* Of one process the own, of the other that of a thread. */
	cr_assert_eq(cause(4000, 4078), KSR_CAUSE_COUNTER);
	cr_assert_eq(cause(12, 13), KSR_CAUSE_COUNTER, "small ids are like any small number");
}

Test(words, test_classify_times)
{
	double first = 1799999950.25;
	double second = 1799999960.75;
	uint64_t a;
	uint64_t b;

	cr_assert_eq(cause(NOW - 5 * SECOND, NOW - 3 * SECOND), KSR_CAUSE_TIME);
	cr_assert_eq(cause((NOW - 5 * SECOND) / 1000, (NOW - 3 * SECOND) / 1000), KSR_CAUSE_TIME);
	cr_assert_eq(cause(1799999990, 1799999995), KSR_CAUSE_TIME, "before small differences");
	cr_assert_eq(cause(1799999990 | UINT64_C(3) << 32, 1799999995 | UINT64_C(3) << 32),
		     KSR_CAUSE_TIME);
	cr_assert_eq(cause(UP - 5 * SECOND, UP - 3 * SECOND), KSR_CAUSE_TIME);
	memcpy(&a, &first, 8);
	memcpy(&b, &second, 8);
	cr_assert_eq(cause(a, b), KSR_CAUSE_TIME);
	/* A day before either process began. */
	cr_assert_eq(cause(NOW - 86400 * SECOND, NOW - 86401 * SECOND), KSR_CAUSE_VALUE);
	cr_assert_eq(cause(1799900000, 1799900001), KSR_CAUSE_COUNTER);
}

Test(words, test_classify_numbers)
{
	cr_assert_eq(cause(7, 8), KSR_CAUSE_COUNTER);
	cr_assert_eq(cause(0, 1), KSR_CAUSE_COUNTER);
	cr_assert_eq(cause(UINT64_MAX, UINT64_MAX - 3), KSR_CAUSE_COUNTER);
	cr_assert_eq(cause(1000, 1000 + 65536), KSR_CAUSE_COUNTER);
	cr_assert_eq(cause(1000, 1000 + 65537), KSR_CAUSE_VALUE);
	cr_assert_eq(cause(UINT64_C(1) << 32, UINT64_C(2) << 32), KSR_CAUSE_COUNTER);
	cr_assert_eq(cause(0xffffffff, 1), KSR_CAUSE_COUNTER, "minus one and one, of 4 bytes");
	cr_assert_eq(cause(0, 0xabcdef0123456789), KSR_CAUSE_SET);
	cr_assert_eq(cause(0x1111111122222222, 0x3333333344444444), KSR_CAUSE_VALUE);
	/* One half counts, the other is unexplained. */
	cr_assert_eq(cause(0x1111111100000001, 0x3333333300000002), KSR_CAUSE_VALUE);
}

static enum ksr_page_class compare(struct fixture *fixture, enum ksr_search search)
{
	struct ksr_window window = {fixture->around + MARGIN, MARGIN, MARGIN};

	ksr_words_compare(&fixture->pair, fixture->first, &window, search, &fixture->result);
	return fixture->result.class;
}

static void put(unsigned char *page, size_t word, uint64_t value)
{
	memcpy(page + 8 * word, &value, 8);
}

static void put_both(struct fixture *fixture, size_t word, uint64_t a, uint64_t b)
{
	put(fixture->first, word, a);
	put(fixture->around + MARGIN, word, b);
}

Test(words, test_compare_equal)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_EQUAL);
	cr_assert_eq(fixture.result.differing, 0);
}

Test(words, test_compare_few_words_and_one_more)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	for (size_t i = 0; i < KSR_FEW_WORDS; i++)
		put_both(&fixture, 3 * i, 0x1111111122222222, 0x3333333344444444);
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_WORDS);
	cr_assert_eq(fixture.result.count, KSR_FEW_WORDS);
	put_both(&fixture, 500, 0x1111111122222222, 0x3333333344444444);
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_OTHER);
	cr_assert(fixture.result.whole);
	cr_assert_eq(fixture.result.cause, KSR_CAUSE_OTHER);
}

Test(words, test_compare_counters_of_a_whole_page)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	for (size_t i = 0; i < 128; i++)
		put_both(&fixture, 4 * i, 100 + i, 101 + i);
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_WORDS);
	cr_assert_eq(fixture.result.count, 128);
	cr_assert_eq(fixture.result.words[7].cause, KSR_CAUSE_COUNTER);
}

Test(words, test_compare_pointers_and_a_few_others)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	for (size_t i = 0; i < 200; i++)
		put_both(&fixture, 2 * i, 0x10000000 + 64 * i, 0x10000040 + 64 * i);
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_POINTERS);
	cr_assert_eq(fixture.result.words[5].cause, KSR_CAUSE_POINTER_SHIFTED);
	for (size_t i = 0; i < KSR_FEW_WORDS; i++)
		put_both(&fixture, 2 * i + 1, 0x1111111122222222, 0x3333333344444444);
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_POINTERS);
	put_both(&fixture, 101, 0x1111111122222222, 0x3333333344444444);
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_OTHER);
}

/* Each region has distances of its own; only many into one are no constant offset. */
Test(words, test_compare_distances_by_region)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	for (size_t i = 0; i < 100; i++) {
		put_both(&fixture, 2 * i, 0x10000000 + 64 * i, 0x10000040 + 64 * i);
		put_both(&fixture, 2 * i + 1, 0x7ffe0000, 0x7ffe0008 + 8 * (i % 40));
	}
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_POINTERS);
	cr_assert_eq(fixture.result.words[0].cause, KSR_CAUSE_POINTER_SHIFTED);
	cr_assert_eq(fixture.result.words[1].cause, KSR_CAUSE_POINTER_MOVED);
}

Test(words, test_compare_zero_page)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	memset(fixture.first, 0, PAGE);
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_OTHER);
	cr_assert_eq(fixture.result.cause, KSR_CAUSE_ZERO_PAGE);
}

Test(words, test_compare_time_in_two_words)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	put_both(&fixture, 10, 1799999990, 1799999990);
	put_both(&fixture, 11, 123456789, 987654321);
	put_both(&fixture, 13, 123456789, 987654321);
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_WORDS);
	cr_assert_eq(fixture.result.words[0].cause, KSR_CAUSE_TIME);
	cr_assert_eq(fixture.result.words[1].cause, KSR_CAUSE_VALUE, "no seconds stand before it");
}

Test(words, test_compare_id_as_text)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	memcpy(fixture.first + 77, "pid=4000;", 9);
	memcpy(fixture.around + MARGIN + 77, "pid=4077;", 9);
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_WORDS);
	cr_assert_eq(fixture.result.count, 1);
	cr_assert_eq(fixture.result.words[0].cause, KSR_CAUSE_ID_TEXT);
	memcpy(fixture.around + MARGIN + 77, "pid=4079;", 9);
	compare(&fixture, KSR_SEARCH_ALL);
	cr_assert_neq(fixture.result.words[0].cause, KSR_CAUSE_ID_TEXT, "4079 is nobody");
}

/* At both ends of a page there is nothing to look at before or behind it. */
Test(words, test_compare_id_as_text_at_the_ends)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	memcpy(fixture.first, "4000", 4);
	memcpy(fixture.around + MARGIN, "4077", 4);
	memcpy(fixture.first + PAGE - 4, "4000", 4);
	memcpy(fixture.around + MARGIN + PAGE - 4, "4077", 4);
	compare(&fixture, KSR_SEARCH_ALL);
	cr_assert_eq(fixture.result.count, 2);
	cr_assert_eq(fixture.result.words[0].cause, KSR_CAUSE_ID_TEXT);
	cr_assert_eq(fixture.result.words[1].cause, KSR_CAUSE_ID_TEXT);
}

/* An id that ends where a word that differs begins is none of it, which was looked at for ever. */
Test(words, test_compare_id_as_text_before_a_word)
{
	static struct fixture fixture;
	const unsigned char *other = fixture.around + MARGIN;
	size_t begin;

	setup(&fixture, 0);
	memcpy(fixture.first + 59, "=3000a", 6);
	memcpy(fixture.around + MARGIN + 59, "=3000b", 6);
	cr_assert_eq(ksr_id_text(&fixture.pair, fixture.first, other, PAGE, 60, &begin), 4);
	cr_assert_eq(ksr_id_text(&fixture.pair, fixture.first, other, PAGE, 63, &begin), 4);
	cr_assert_eq(ksr_id_text(&fixture.pair, fixture.first, other, PAGE, 64, &begin), 0);
	compare(&fixture, KSR_SEARCH_ALL);
	cr_assert_eq(fixture.result.count, 1);
	cr_assert_neq(fixture.result.words[0].cause, KSR_CAUSE_ID_TEXT);
	/* The same of ids that differ, whose own word is looked at before. */
	memcpy(fixture.first + 59, "=4000a", 6);
	memcpy(fixture.around + MARGIN + 59, "=4077b", 6);
	compare(&fixture, KSR_SEARCH_ALL);
	cr_assert_eq(fixture.result.count, 2);
	cr_assert_eq(fixture.result.words[0].cause, KSR_CAUSE_ID_TEXT);
	cr_assert_neq(fixture.result.words[1].cause, KSR_CAUSE_ID_TEXT);
}

static int64_t shift(struct fixture *fixture, int64_t bytes, enum ksr_search search)
{
	setup(fixture, 0);
	memcpy(fixture->first, fixture->around + MARGIN + bytes, PAGE);
	if (compare(fixture, search) != KSR_PAGE_SHIFTED)
		return 0;
	return fixture->result.shift;
}

Test(words, test_shift_distances)
{
	static struct fixture fixture;
	static const int64_t distances[] = {8, -8, 4096, -4096, 16384, -16384, 1000, -12344};

	for (size_t i = 0; i < KSM_COUNT_OF(distances); i++)
		cr_assert_eq(shift(&fixture, distances[i], KSR_SEARCH_WORDS), distances[i]);
	cr_assert_eq(shift(&fixture, 3, KSR_SEARCH_ALL), 3);
	cr_assert_eq(shift(&fixture, -4099, KSR_SEARCH_ALL), -4099);
	cr_assert_eq(shift(&fixture, 3, KSR_SEARCH_WORDS), 0, "not looked for");
	cr_assert_eq(shift(&fixture, 8, KSR_SEARCH_NOT), 0);
}

Test(words, test_shift_is_tried_where_it_was_before)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	memcpy(fixture.first, fixture.around + MARGIN + 40, PAGE);
	fixture.result.shift = 40;
	cr_assert_eq(compare(&fixture, KSR_SEARCH_NOT), KSR_PAGE_SHIFTED);
	fixture.result.shift = 48;
	cr_assert_eq(compare(&fixture, KSR_SEARCH_NOT), KSR_PAGE_OTHER);
}

/* An insertion in the middle moves what follows it. */
Test(words, test_shift_of_the_second_half)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	memcpy(fixture.first + PAGE / 2, fixture.around + MARGIN + PAGE / 2 + 24, PAGE / 2);
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_SHIFTED);
	cr_assert_eq(fixture.result.shift, 24);
}

/* A few lines that occur elsewhere too, as in tables of equal records, are no moved content. */
Test(words, test_shift_of_a_few_lines_is_none)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	for (size_t i = 0; i < PAGE; i += 8)
		put_both(&fixture, i / 8, (i + 1) * 0x123456789, (i + 1) * 0x987654321);
	memcpy(fixture.first + 512, fixture.around + MARGIN + 1024, 256);
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_OTHER);
}

/* The neighbourhood may be short at the edges of what is mapped. */
Test(words, test_shift_stays_in_the_window)
{
	static struct fixture fixture;
	struct ksr_window window;

	setup(&fixture, 0);
	memcpy(fixture.first, fixture.around + MARGIN + 64, PAGE);
	window = (struct ksr_window){fixture.around + MARGIN, 0, 0};
	ksr_words_compare(&fixture.pair, fixture.first, &window, KSR_SEARCH_ALL, &fixture.result);
	cr_assert_eq(fixture.result.class, KSR_PAGE_SHIFTED, "all lines but the last are there");
	memcpy(fixture.first, fixture.around + MARGIN + 2048, PAGE);
	ksr_words_compare(&fixture.pair, fixture.first, &window, KSR_SEARCH_ALL, &fixture.result);
	cr_assert_eq(fixture.result.class, KSR_PAGE_OTHER, "half of it is not in the window");
}

static uint64_t masked(const struct fixture *fixture, int which, const unsigned char *page)
{
	struct ksr_masker masker = {.space = &fixture->spaces[which]};

	return ksr_masked_hash(&masker, page);
}

Test(words, test_masked_pages_are_equal_wherever_they_point)
{
	static struct fixture fixture;
	unsigned char *second = fixture.around + MARGIN;
	uint64_t address = 0x10000100;

	setup(&fixture, 0x1000000);
	cr_assert_eq(masked(&fixture, 0, fixture.first), 0, "a page without addresses is what it is");
	memcpy(fixture.first + 64, &address, 8);
	address += 0x1234560;
	memcpy(second + 64, &address, 8);
	cr_assert_neq(masked(&fixture, 0, fixture.first), 0);
	cr_assert_eq(masked(&fixture, 0, fixture.first), masked(&fixture, 1, second));
	second[128] ^= 1;
	cr_assert_neq(masked(&fixture, 0, fixture.first), masked(&fixture, 1, second));
	second[128] ^= 1;
	/* A pointer to the program is none to data. */
	address = 0x400100;
	memcpy(second + 64, &address, 8);
	cr_assert_neq(masked(&fixture, 0, fixture.first), masked(&fixture, 1, second));
}

Test(words, test_masked_pages_may_point_to_where_addresses_end)
{
	static struct fixture fixture;
	uint64_t address = (UINT64_C(1) << KSM_ADDRESS_BITS) - 8;

	setup(&fixture, 0);
	fixture.ranges[0][STACK].begin = address - PAGE;
	fixture.ranges[0][STACK].end = address + 8;
	memcpy(fixture.first + 64, &address, 8);
	cr_assert_neq(masked(&fixture, 0, fixture.first), 0, "it has an address");
}

Test(words, test_masked_pages_of_addresses_alone_say_nothing)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	memset(fixture.first, 0, PAGE);
	for (size_t i = 0; i < WORDS; i += 2) {
		uint64_t address = 0x10000000 + 16 * i;

		memcpy(fixture.first + 8 * i, &address, 8);
	}
	cr_assert_eq(masked(&fixture, 0, fixture.first), 0);
}

Test(words, test_classify_random_words)
{
	cr_assert_eq(cause(0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f), KSR_CAUSE_NOISE);
	/* One byte is equal; few bits are set; text; half of a word. */
	cr_assert_eq(cause(0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb15), KSR_CAUSE_VALUE);
	cr_assert_eq(cause(0x0100020004001080, 0xc2b2ae3d27d4eb4f), KSR_CAUSE_VALUE);
	cr_assert_eq(cause(0x6c6c6f7720656874, 0x2164726f776f6c65), KSR_CAUSE_VALUE);
	cr_assert_eq(cause(0x9e3779b9, 0xc2b2ae3d), KSR_CAUSE_VALUE);
}

Test(words, test_most_random_words_are_told)
{
	static struct fixture fixture;
	size_t told = 0;

	setup(&fixture, 0);
	for (size_t i = 0; i + 1 < WORDS; i += 2) {
		uint64_t pair[2];

		memcpy(pair, fixture.first + 8 * i, sizeof(pair));
		told += cause(pair[0], pair[1]) == KSR_CAUSE_NOISE;
	}
	cr_assert_gt(told, WORDS / 2 * 9 / 10, "%zu of %d", told, WORDS / 2);
}

Test(words, test_compare_reference_counts)
{
	static struct fixture fixture;

	setup(&fixture, 0x1000000);
	for (size_t i = 0; i < 64; i++) {
		put_both(&fixture, 8 * i, 1 + i, 2 + i);
		put_both(&fixture, 8 * i + 1, 0x400100, 0x400100);
	}
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_WORDS);
	cr_assert_eq(fixture.result.count, 64);
	for (size_t i = 0; i < 64; i++)
		cr_assert_eq(fixture.result.words[i].cause, KSR_CAUSE_REFERENCES);
	/* Freed; before another type; before an address of the heap, as in a list. */
	put_both(&fixture, 0, 0, 1);
	put_both(&fixture, 9, 0x400100, 0x400200);
	put_both(&fixture, 17, 0x10000100, 0x11000100);
	put_both(&fixture, WORDS - 1, 3, 4);
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_WORDS);
	for (size_t i = 0; i < fixture.result.count; i++) {
		const struct ksr_word *word = &fixture.result.words[i];
		size_t at = word->offset / 8;

		if (at == 0 || at == 8 || at == 16 || at == WORDS - 1)
			cr_assert_eq(word->cause, KSR_CAUSE_COUNTER, "word %zu", at);
	}
}

Test(words, test_compare_locks)
{
	static struct fixture fixture;

	setup(&fixture, 0);
	/* A thread of the first process holds one, a thread of the second the other one; the third is no lock. */
	put_both(&fixture, 10, 1, 0);
	put_both(&fixture, 11, UINT64_C(1) << 32 | 4001, 0);
	put_both(&fixture, 20, 0, 2);
	put_both(&fixture, 21, 0, UINT64_C(1) << 32 | 4078);
	put_both(&fixture, 30, 1, 0);
	put_both(&fixture, 31, UINT64_C(1) << 32 | 4002, 0);
	put_both(&fixture, 40, 1, 2);
	cr_assert_eq(compare(&fixture, KSR_SEARCH_ALL), KSR_PAGE_WORDS);
	cr_assert_eq(fixture.result.count, 7);
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(fixture.result.words[i].cause, KSR_CAUSE_LOCK, "word %zu", i);
	cr_assert_eq(fixture.result.words[4].cause, KSR_CAUSE_COUNTER);
	cr_assert_eq(fixture.result.words[5].cause, KSR_CAUSE_COUNTER);
	cr_assert_eq(fixture.result.words[6].cause, KSR_CAUSE_COUNTER);
}
