/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a segment: what validation accepts must be readable to its end. */
#include <stdlib.h>
#include <string.h>

#include "snapshot.h"

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
	}
	free(snapshot.data);
	return 0;
}
