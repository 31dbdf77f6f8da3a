/* SPDX-License-Identifier: BSD-2-Clause */
/* A private arena is never advised, also where the label's other memory is. */
#include "test.h"

static const struct ksmalloc_segment_slot *slot_at(const void *address)
{
	const struct ksmalloc_segment_header *header = test_segment();

	for (uint32_t i = 0; i < header->slots.count; i++) {
		const struct ksmalloc_segment_slot *slot =
			(const void *)((const char *)header + header->slots.offset + i * header->slots.stride);

		if (slot->base == (uintptr_t)address)
			return slot;
	}
	return NULL;
}

int main(void)
{
	void *arena, *private, *again;

	CHECK(ksmalloc_arena_reserve("keys", TEST_MIB, 0, &arena) == 0);
	CHECK(ksmalloc_arena_reserve("keys", TEST_MIB, KSMALLOC_ARENA_PRIVATE, &private) == 0);
	for (size_t bytes = TEST_PAGE; bytes <= TEST_MIB; bytes *= 2) {
		CHECK(ksmalloc_arena_resize(arena, bytes) == 0);
		CHECK(ksmalloc_arena_resize(private, bytes) == 0);
		CHECK(test_has_flag(arena, "mg"));
		CHECK(!test_has_flag(private, "mg"));
	}
	CHECK(slot_at(arena)->flags == KSMALLOC_SLOT_ADVISED);
	CHECK(slot_at(private)->flags == KSMALLOC_SLOT_EXEMPT);
	/* What takes the place of one later is not like it. */
	CHECK(ksmalloc_arena_release(private) == 0);
	CHECK(ksmalloc_arena_reserve("keys", TEST_MIB, 0, &again) == 0);
	CHECK(again == private);
	CHECK(ksmalloc_arena_resize(again, TEST_PAGE) == 0);
	CHECK(test_has_flag(again, "mg"));
	CHECK(slot_at(again)->flags == KSMALLOC_SLOT_ADVISED);
	return 0;
}
