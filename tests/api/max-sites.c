/* SPDX-License-Identifier: BSD-2-Clause */
/* With KSMALLOC_MAX_SITES=4 a fifth site's blocks still work and count as the site `other`. */
#include "test.h"

#define SITES 12
#define COUNT 64
#define SIZE  (64 * TEST_KIB)

int main(void)
{
	static void *blocks[SITES][COUNT];
	static char names[SITES][8];
	uint64_t ids[SITES] = { 0 };
	size_t distinct = 0;

	for (size_t s = 0; s < SITES; s++) {
		snprintf(names[s], sizeof(names[s]), "site%zu", s);
		CHECK(ksmalloc_label_begin(names[s]) == 0);
		test_alloc_many(blocks[s], COUNT, SIZE);
		ksmalloc_label_end();
		for (size_t i = 0; i < COUNT; i++)
			test_fill(blocks[s][i], SIZE, s * COUNT + i);
	}
	for (size_t s = 0; s < SITES; s++) {
		const struct ksmalloc_segment_site *site = test_site_of(blocks[s][COUNT - 1]);

		for (size_t i = 0; i < COUNT; i++)
			CHECK(test_matches(blocks[s][i], SIZE, s * COUNT + i));
		if (!site || site->flags & KSMALLOC_SITE_OTHER)
			continue;
		ids[distinct] = site->id;
		for (size_t k = 0; k < distinct; k++)
			CHECK(ids[k] != site->id);
		distinct++;
	}
	CHECK_MSG(distinct >= 1 && distinct <= 4, "%zu sites have a slot", distinct);
	for (size_t s = 0; s < SITES; s++)
		test_free_many(blocks[s], COUNT);
	return 0;
}
