/* SPDX-License-Identifier: BSD-2-Clause */
/* What samples come to: by weights alone, and where it is counted how many blocks of a size there are, by that. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "join/samples.h"

#define ORIGINS 4
#define MIB ((double)(1 << 20))

struct found {
	double bytes[ORIGINS];
	double variance[ORIGINS];
};

static void take(void *context, uint32_t origin, double bytes, double variance)
{
	struct found *found = context;

	found->bytes[origin] += bytes;
	found->variance[origin] += variance;
}

static void add(struct ksr_samples *samples, uint32_t origin, uint32_t bytes, uint32_t count)
{
	const struct ksmalloc_segment_mark mark = {.bytes = bytes, .weight = 65536, .origin = origin};

	for (uint32_t i = 0; i < count; i++)
		cr_assert_eq(ksr_samples_add(samples, &mark), 0);
}

static struct found sum(struct ksr_samples *samples, const struct ksr_bins *bins)
{
	struct found found = {0};

	ksr_samples_sum(samples, bins, take, &found);
	ksr_samples_free(samples);
	return found;
}

Test(samples, weights_count_where_nothing_else_is_known)
{
	const struct ksr_bins none = {0};
	struct ksr_samples samples = {0};
	struct found found;

	add(&samples, 1, 64, 30);
	add(&samples, 2, 64, 10);
	add(&samples, 1, 96, 2);
	found = sum(&samples, &none);
	cr_assert_float_eq(found.bytes[1], 2 * MIB, 1);
	cr_assert_float_eq(found.bytes[2], 10 * 65536.0, 1);
	cr_assert_float_eq(found.variance[2], 10 * 65536.0 * 65536.0, 1);
}

Test(samples, who_has_a_size_for_itself_is_known)
{
	const struct ksr_bins bins = {.count = 2, .block_bytes = {64, 96}, .live_bytes = {3 << 20, 1 << 20}};
	struct ksr_samples samples = {0};
	struct found found;

	add(&samples, 1, 64, 40);
	add(&samples, 2, 96, 20);
	found = sum(&samples, &bins);
	cr_assert_float_eq(found.bytes[1], 3 * MIB, 1);
	cr_assert_float_eq(found.variance[1], 0, 1);
	cr_assert_float_eq(found.bytes[2], MIB, 1);
}

Test(samples, a_size_that_several_have_is_divided)
{
	const struct ksr_bins bins = {.count = 1, .block_bytes = {64}, .live_bytes = {4 << 20}};
	struct ksr_samples samples = {0};
	struct found found;

	add(&samples, 1, 64, 60);
	add(&samples, 3, 64, 20);
	found = sum(&samples, &bins);
	cr_assert_float_eq(found.bytes[1], 3 * MIB, 1);
	cr_assert_float_eq(found.bytes[3], MIB, 1);
	/* Only the division is left to chance: what one has too much the other has too little. */
	cr_assert_float_eq(found.variance[1], found.variance[3], 1e6);
	cr_assert_float_eq(found.variance[1], 0.25 * 0.75 * 80 * (MIB / 20) * (MIB / 20), 1e6);
}

Test(samples, few_samples_do_not_stand_for_all_that_is_there)
{
	const struct ksr_bins bins = {.count = 1, .block_bytes = {64}, .live_bytes = {64 << 20}};
	struct ksr_samples samples = {0};
	struct found found;

	add(&samples, 1, 64, 2);
	found = sum(&samples, &bins);
	cr_assert_float_eq(found.bytes[1], 4 * 65536.0, 1);
}
