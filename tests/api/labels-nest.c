/* SPDX-License-Identifier: BSD-2-Clause */
/* Labels name sites, nest 16 deep, belong to their thread, and end. */
#include "test.h"

#include <pthread.h>

static const char *label_of(uint64_t id)
{
	const struct ksmalloc_segment_header *header = test_segment();

	for (uint32_t i = 0; i < header->sites.count; i++) {
		const struct ksmalloc_segment_site *site =
			(const void *)((const char *)header + header->sites.offset + i * header->sites.stride);

		if (site->id == id)
			return site->flags & KSMALLOC_SITE_LABEL ?
				       (const char *)header + header->strings.offset + site->label_string : "";
	}
	return "none";
}

static void *in_thread(void *data)
{
	/* The label of the thread that created this one does not count here. */
	*(uint64_t *)data = test_current_site();
	return NULL;
}

int main(void)
{
	uint64_t ids[6];
	pthread_t thread;

	/* A loop: the stack is the same each time, only the labels differ. */
	for (size_t i = test_opaque(0); i < 6; i++) {
		if (i == 1 || i == 4)
			CHECK(ksmalloc_label_begin("outer") == 0);
		if (i == 2)
			CHECK(ksmalloc_label_begin("inner") == 0);
		ids[i] = test_current_site();
		if (i == 2 || i == 3 || i == 4)
			ksmalloc_label_end();
	}
	CHECK(ids[0] && ids[1] && ids[2] && ids[3]);
	CHECK(ids[0] == ids[5]);
	CHECK(ids[1] == ids[3] && ids[1] == ids[4]);
	CHECK(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
	CHECK(strcmp(label_of(ids[1]), "outer") == 0);
	CHECK(strcmp(label_of(ids[2]), "inner") == 0);
	CHECK(strcmp(label_of(ids[0]), "") == 0);

	CHECK(ksmalloc_label_begin("outer") == 0);
	CHECK(pthread_create(&thread, NULL, in_thread, &ids[5]) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(ids[5] != ids[1]);
	ksmalloc_label_end();

	CHECK(ksmalloc_label_begin(NULL) == -EINVAL);
	CHECK(ksmalloc_label_begin("") == -EINVAL);
	for (int i = 0; i < 16; i++)
		CHECK(ksmalloc_label_begin("outer") == 0);
	CHECK(ksmalloc_label_begin("seventeenth") == -E2BIG);
	ksmalloc_label_end();
	CHECK(test_current_site() == ids[1]);
	for (int i = 0; i < 16; i++)
		ksmalloc_label_end();
	CHECK(test_current_site() != ids[1]);
	/* Without an open label it does nothing. */
	ksmalloc_label_end();
	CHECK(ksmalloc_label_begin("outer") == 0);
	CHECK(test_current_site() == ids[1]);
	ksmalloc_label_end();
	return 0;
}
