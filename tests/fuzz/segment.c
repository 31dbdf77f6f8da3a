/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a segment: what validation accepts must be readable to its end. */
#include <stdlib.h>
#include <string.h>

#include "snapshot.h"
#include "space.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads each byte that a report would, so that a sanitizer sees what lies outside. */
static uint64_t read_all(const struct ksr_snapshot *snapshot)
{
	const struct ksmalloc_segment_header *header = &snapshot->header;
	struct ksmalloc_segment_module module;
	struct ksmalloc_segment_site site;
	struct ksmalloc_segment_slot slot;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < header->sites.count; i++) {
		ksr_snapshot_site(snapshot, i, &site);
		sum += site.stats.live_bytes +
		       strlen(ksr_snapshot_string(snapshot, site.label_string));
		for (uint32_t k = 0; k < site.frame_count; k++) {
			uint32_t index = (uint32_t)(site.frames[k] >> KSMALLOC_FRAME_MODULE_SHIFT);

			if (ksr_snapshot_module(snapshot, index, &module))
				sum += strlen(ksr_snapshot_string(snapshot, module.path_string)) +
				       module.build_id[(module.build_id_bytes + 31) % 32];
		}
	}
	for (uint32_t i = 0; i < header->slots.count; i++) {
		ksr_snapshot_slot(snapshot, i, &slot);
		if (slot.site >= header->sites.count)
			abort();
	}
	return sum + strlen(header->group) + strlen(header->boot_id);
}

/* Slots and regions of the segment's making cut honest mappings: the pieces must still fit. */
static void cut_mappings(const struct ksr_snapshot *snapshot)
{
	static char lines[] = "10000000-10020000 rw-p 00000000 00:00 0 \n"
			      "20000000-20080000 rw-p 00000000 00:00 0 \n"
			      "7f0000000000-7f0000800000 rw-p 00000000 00:00 0 \n";
	const struct ksr_text smaps = {lines, sizeof(lines) - 1};
	const struct ksr_stacks stacks = {0};
	struct ksr_space space = {.page_bytes = 4096, .has_segment = true, .snapshot = *snapshot};
	uint64_t bytes = 0;

	if (ksr_space_parse(NULL, &space, &smaps, "", &stacks) == 0) {
		for (size_t i = 0; i < space.range_count; i++)
			bytes += space.ranges[i].end - space.ranges[i].begin;
		if (bytes != 0x20000 + 0x80000 + 0x800000)
			abort();
	}
	/* The copy belongs to the caller. */
	space.has_segment = false;
	ksr_space_destroy(&space);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ksr_snapshot snapshot = {.size = size};
	char why[KSR_WHY_BYTES];
	int error = ksr_snapshot_validate(data, size, &snapshot.header, why);

	/* A refusal says why, in a terminated line. */
	if (error && (!why[0] || !memchr(why, 0, sizeof(why))))
		abort();
	if (error)
		return 0;
	/* A copy of the exact size: reading past it is an error that is seen. */
	snapshot.data = malloc(size);
	if (snapshot.data) {
		volatile uint64_t sink;

		memcpy(snapshot.data, data, size);
		sink = read_all(&snapshot);
		(void)sink;
		cut_mappings(&snapshot);
	}
	free(snapshot.data);
	return 0;
}
