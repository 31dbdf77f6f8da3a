/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The questions about a word are asked from the one that is hardest to answer
 * yes by chance to the one that is easiest: known random bytes, addresses in
 * mapped memory, ids of these very processes, times within their lives, and
 * last a small difference. What is left is told from random words, of which the bits say that nobody has chosen them.
 */
#define _GNU_SOURCE
#include "pages/value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)
/* Clocks are read before the pages are; programs keep times of a little before their start. */
#define SLACK (60 * SECOND)
/* Processes that are older than this have lived through most numbers of seconds since the boot. */
#define SHORT_LIFE (3600 * SECOND)
/* Numbers that are not further apart count something. */
#define COUNTER_MOST 65536
/* Ids below this are too small to be told from other small numbers. */
#define ID_LEAST 64

/* --- addresses ------------------------------------------------------------------------ */

static const struct ksr_range *range_of(struct ksr_pair *pair, int which, uint64_t value)
{
	const struct ksr_range *range = pair->recent[which];

	/* Nothing is mapped in the first page or in the kernel's half. */
	if (value < 4096 || value >> 56)
		return NULL;
	if (range && value >= range->begin && value < range->end)
		return range;
	range = ksr_space_find(pair->spaces[which], value);
	if (range)
		pair->recent[which] = range;
	return range;
}

bool ksr_is_data_of_file(struct ksr_pair *pair, int which, uint64_t value)
{
	const struct ksr_range *range = range_of(pair, which, value);

	return range && pair->spaces[which]->regions[range->region].kind == KSR_REGION_FILE;
}

static bool is_address(struct ksr_pair *pair, uint64_t a, uint64_t b, struct ksr_word *word)
{
	const struct ksr_range *first = range_of(pair, 0, a);
	const struct ksr_range *second = first ? range_of(pair, 1, b) : NULL;
	const struct ksr_region *from;
	const struct ksr_region *to;

	if (!second)
		return false;
	word->target = first->region;
	word->cause = KSR_CAUSE_POINTER_OTHER;
	if (pair->match[first->region] != second->region)
		return true;
	from = &pair->spaces[0]->regions[first->region];
	to = &pair->spaces[1]->regions[second->region];
	word->delta = (int64_t)((b - to->base) - (a - from->base));
	word->cause = word->delta ? KSR_CAUSE_POINTER_SHIFTED : KSR_CAUSE_POINTER_LAYOUT;
	return true;
}

/* --- random bytes that the kernel gave -------------------------------------------------- */

static uint64_t random_word(const struct ksr_identity *identity, size_t offset)
{
	uint64_t word;

	memcpy(&word, identity->random + offset, sizeof(word));
	return word;
}

static uint64_t demangle(uint64_t value, uint64_t guard)
{
	/* PTR_DEMANGLE of glibc on x86-64: rotated by 2 * sizeof(long) + 1. */
	return ((value >> 17) | (value << 47)) ^ guard;
}

static bool is_random(const struct ksr_pair *pair, uint64_t a, uint64_t b)
{
	const struct ksr_identity *first = &pair->spaces[0]->identity;
	const struct ksr_identity *second = &pair->spaces[1]->identity;

	if (!first->has_random || !second->has_random)
		return false;
	for (size_t offset = 0; offset + 8 <= KSR_IDENTITY_RANDOM; offset += 8) {
		uint64_t x = random_word(first, offset);
		uint64_t y = random_word(second, offset);

		/* The canary of glibc has a zero for its lowest byte. */
		if ((a == x && b == y) ||
		    (a == (x & ~UINT64_C(0xff)) && b == (y & ~UINT64_C(0xff))))
			return true;
	}
	return false;
}

static bool is_mangled(struct ksr_pair *pair, uint64_t a, uint64_t b, struct ksr_word *word)
{
	const struct ksr_identity *first = &pair->spaces[0]->identity;
	const struct ksr_identity *second = &pair->spaces[1]->identity;
	uint64_t x = first->has_random ? demangle(a, random_word(first, 8)) : 0;
	uint64_t y = second->has_random ? demangle(b, random_word(second, 8)) : 0;
	struct ksr_word clear = *word;

	/* A mangled null is what an empty jmp_buf or list of handlers holds. */
	if (!first->has_random || !second->has_random ||
	    !((x == 0 && y == 0) || (x == y && range_of(pair, 0, x) && range_of(pair, 1, y)) ||
	      is_address(pair, x, y, &clear)))
		return false;
	word->target = clear.target;
	word->cause = KSR_CAUSE_MANGLED;
	return true;
}

/* --- ids and times ------------------------------------------------------------------------ */

static bool is_id(const struct ksr_pair *pair, uint64_t a, uint64_t b)
{
	const struct ksr_identity *first = &pair->spaces[0]->identity;
	const struct ksr_identity *second = &pair->spaces[1]->identity;

	if (a < ID_LEAST || b < ID_LEAST)
		return false;
	for (size_t i = 0; i < first->id_count && i < second->id_count; i++) {
		if (a == (uint64_t)first->ids[i] && b == (uint64_t)second->ids[i])
			return true;
	}
	return false;
}

bool ksr_is_own_id(const struct ksr_pair *pair, int which, uint64_t value)
{
	const struct ksr_identity *identity = &pair->spaces[which]->identity;

	for (size_t i = 0; i < identity->id_count; i++) {
		if (value && value == (uint64_t)identity->ids[i])
			return true;
	}
	return false;
}

static bool is_between(uint64_t value, uint64_t begin, uint64_t end, uint64_t unit)
{
	return value >= (begin > SLACK ? begin - SLACK : 0) / unit && value <= (end + SLACK) / unit;
}

static bool is_real_time(const struct ksr_identity *identity, uint64_t value, uint64_t unit)
{
	return is_between(value, identity->real_begin, identity->real_end, unit);
}

/* Times since the boot have no slack before the start: numbers are small there. */
static bool is_boot_time(const struct ksr_identity *identity, uint64_t value, uint64_t unit)
{
	return value >= identity->boot_begin / unit && value <= (identity->boot_end + SLACK) / unit;
}

static bool is_seconds_of(const struct ksr_identity *identity, uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	if (!(value > 0 && value < 1e11))
		return false;
	if (is_real_time(identity, (uint64_t)value, SECOND))
		return true;
	/* Whole numbers are counts; and the window must be narrow to mean anything. */
	return value != (double)(uint64_t)value &&
	       identity->boot_end - identity->boot_begin < SHORT_LIFE &&
	       is_boot_time(identity, (uint64_t)value, SECOND);
}

static bool is_time(const struct ksr_pair *pair, uint64_t a, uint64_t b)
{
	static const uint64_t units[] = {SECOND, 1000000, 1000, 1};
	const struct ksr_identity *first = &pair->spaces[0]->identity;
	const struct ksr_identity *second = &pair->spaces[1]->identity;

	if (first->real_end == 0 || second->real_end == 0)
		return false;
	for (size_t i = 0; i < KSM_COUNT_OF(units); i++) {
		if (is_real_time(first, a, units[i]) && is_real_time(second, b, units[i]))
			return true;
	}
	/* Since the boot only in micro- and nanoseconds: coarser numbers are too small. */
	for (size_t i = 2; i < KSM_COUNT_OF(units); i++) {
		if (is_boot_time(first, a, units[i]) && is_boot_time(second, b, units[i]))
			return true;
	}
	return is_seconds_of(first, a) && is_seconds_of(second, b);
}

/* --- the word ------------------------------------------------------------------------------- */

static bool is_counter(uint64_t a, uint64_t b)
{
	uint64_t distance = a > b ? a - b : b - a;

	return distance <= COUNTER_MOST;
}

bool ksr_are_seconds(const struct ksr_pair *pair, uint64_t a, uint64_t b)
{
	return is_real_time(&pair->spaces[0]->identity, a, SECOND) &&
	       is_real_time(&pair->spaces[1]->identity, b, SECOND);
}

/* Of random words about half of the bits are set: one of a thousand has fewer or more than these. */
static bool is_even(uint64_t bits)
{
	int set = __builtin_popcountll(bits);

	return set >= 19 && set <= 45;
}

/* Such a word is not text, and no byte of it is what it is in the other process: numbers and text have equal ones. */
static bool is_noise(uint64_t a, uint64_t b)
{
	for (int shift = 0; shift < 64; shift += 8) {
		if (((a ^ b) >> shift & 0xff) == 0)
			return false;
	}
	return is_even(a) && is_even(b) && is_even(a ^ b) && a & UINT64_C(0x8080808080808080) &&
	       b & UINT64_C(0x8080808080808080);
}

/* One number of 8 bytes, or of 4 where half says so. */
static enum ksr_cause number_cause(const struct ksr_pair *pair, uint64_t a, uint64_t b, bool half)
{
	if (is_id(pair, a, b))
		return KSR_CAUSE_ID;
	if (half ? ksr_are_seconds(pair, a, b) : is_time(pair, a, b))
		return KSR_CAUSE_TIME;
	if (is_counter(a, b) || (half && is_counter((uint32_t)(a - b), 0)) ||
	    (half && is_counter((uint32_t)(b - a), 0)))
		return KSR_CAUSE_COUNTER;
	return a == 0 || b == 0 ? KSR_CAUSE_SET : KSR_CAUSE_VALUE;
}

/* The word as two numbers of 4 bytes: the half that says least decides. */
static enum ksr_cause halves_cause(const struct ksr_pair *pair, uint64_t a, uint64_t b)
{
	enum ksr_cause low = number_cause(pair, (uint32_t)a, (uint32_t)b, true);
	enum ksr_cause high = number_cause(pair, a >> 32, b >> 32, true);

	if ((uint32_t)a == (uint32_t)b)
		return high;
	if (a >> 32 == b >> 32)
		return low;
	return low > high ? low : high;
}

struct ksr_word ksr_word_classify(struct ksr_pair *pair, uint64_t a, uint64_t b)
{
	struct ksr_word word = {.target = KSR_REGION_NONE};

	if (is_random(pair, a, b)) {
		word.cause = KSR_CAUSE_RANDOM;
		return word;
	}
	if (is_address(pair, a, b, &word))
		return word;
	word.cause = number_cause(pair, a, b, false);
	if (word.cause >= KSR_CAUSE_COUNTER) {
		enum ksr_cause halves = halves_cause(pair, a, b);

		word.cause = halves < word.cause ? halves : word.cause;
	}
	if (word.cause >= KSR_CAUSE_SET)
		(void)is_mangled(pair, a, b, &word);
	if (word.cause == KSR_CAUSE_VALUE && is_noise(a, b))
		word.cause = KSR_CAUSE_NOISE;
	if (word.cause == KSR_CAUSE_VALUE || word.cause == KSR_CAUSE_NOISE)
		word.mark = (a * UINT64_C(0x9e3779b97f4a7c15)) ^ (b * UINT64_C(0xc2b2ae3d27d4eb4f));
	return word;
}

/* --- ids as text ---------------------------------------------------------------------------- */

static bool is_known_text(const struct ksr_pair *pair, const unsigned char *a,
			  const unsigned char *b, size_t bytes)
{
	char first[16];
	char second[16];

	if (bytes < 2 || bytes >= sizeof(first))
		return false;
	memcpy(first, a, bytes);
	memcpy(second, b, bytes);
	first[bytes] = '\0';
	second[bytes] = '\0';
	return is_id(pair, strtoull(first, NULL, 10), strtoull(second, NULL, 10));
}

size_t ksr_id_text(const struct ksr_pair *pair, const unsigned char *a, const unsigned char *b,
		   size_t page_bytes, size_t at, size_t *begin)
{
	size_t end = at;

	*begin = at;
	while (*begin > 0 && isdigit(a[*begin - 1]) && isdigit(b[*begin - 1]))
		(*begin)--;
	while (end < page_bytes && isdigit(a[end]) && isdigit(b[end]))
		end++;
	/* An id that ends right before the byte is not what differs there, whatever follows it. */
	if (end == at)
		return 0;
	return is_known_text(pair, a + *begin, b + *begin, end - *begin) ? end - *begin : 0;
}
