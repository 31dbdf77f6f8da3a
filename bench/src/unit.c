/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A compilation unit of a large program, for bench/symbols: it is compiled once, and copies of the object have other
 * names of equal length in place of unit_0000. Functions call each other in a row, with inlined ones between, so that
 * stacks through them are deep, and the last one allocates.
 */
#include <stddef.h>

struct unit_0000_record {
	struct unit_0000_record *next;
	const char *name;
	long values[8];
	union {
		double ratio;
		struct {
			int low;
			int high;
		} part;
	} detail;
};

extern void *large_allocate(size_t size);

static inline long unit_0000_mix(const struct unit_0000_record *record, long seed)
{
	for (int i = 0; i < 8; i++)
		seed = seed * 31 + record->values[i];
	return seed;
}

static inline void *unit_0000_pass(void *(*step)(struct unit_0000_record *, unsigned int, size_t),
				   struct unit_0000_record *record, unsigned int depth, size_t size)
{
	long before = unit_0000_mix(record, (long)depth);
	void *block = depth ? step(record, depth - 1, size) : large_allocate(size);

	record->values[depth & 7] += before;
	return block;
}

#define STEP(name, after)                                                                                              \
	void *unit_0000_##after(struct unit_0000_record *record, unsigned int depth, size_t size);                      \
	__attribute__((noinline)) void *unit_0000_##name(struct unit_0000_record *record, unsigned int depth,          \
							 size_t size)                                                  \
	{                                                                                                              \
		struct unit_0000_record own = *record;                                                                 \
		double ratio = own.detail.ratio;                                                                       \
		void *block;                                                                                           \
                                                                                                                       \
		own.next = record;                                                                                     \
		for (int i = 0; i < (own.detail.part.low & 7); i++)                                                    \
			ratio += (double)unit_0000_mix(record, i);                                                     \
		block = unit_0000_pass(unit_0000_##after, &own, depth, size);                                           \
		record->detail.ratio = ratio;                                                                          \
		return block;                                                                                          \
	}

#define TEN(a, b)                                                                                                      \
	STEP(a##0, a##1) STEP(a##1, a##2) STEP(a##2, a##3) STEP(a##3, a##4) STEP(a##4, a##5) STEP(a##5, a##6)          \
	STEP(a##6, a##7) STEP(a##7, a##8) STEP(a##8, a##9) STEP(a##9, b##0)
#define HUNDRED(a, b)                                                                                                  \
	TEN(a##0, a##1) TEN(a##1, a##2) TEN(a##2, a##3) TEN(a##3, a##4) TEN(a##4, a##5) TEN(a##5, a##6)                \
	TEN(a##6, a##7) TEN(a##7, a##8) TEN(a##8, a##9) TEN(a##9, b##0)

HUNDRED(step0, step1)
HUNDRED(step1, step2)
HUNDRED(step2, step3)
HUNDRED(step3, step4)
HUNDRED(step4, step5)
HUNDRED(step5, step6)
HUNDRED(step6, step7)
HUNDRED(step7, step8)
HUNDRED(step8, step9)
HUNDRED(step9, step0)

void *unit_0000_enter(unsigned int depth, size_t size)
{
	struct unit_0000_record record = {.name = "unit_0000"};

	return unit_0000_step000(&record, depth, size);
}
