/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a segment: what validation accepts must be readable to its end. */
#include <stdlib.h>
#include <string.h>

#include "join/aggregate.h"
#include "join/aside.h"
#include "join/group.h"
#include "read/snapshot.h"
#include "read/space.h"

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

static int add_process(struct ksr_report *report, const uint8_t *data, size_t size,
		       const struct ksmalloc_segment_header *header)
{
	static char lines[] = "10000000-10020000 rw-p 00000000 00:00 0 \nRss: 64 kB\nPss: 64 kB\n"
			      "20000000-20080000 rw-p 00000000 00:01 9 /memfd:ksmalloc-store (deleted)\n"
			      "Rss: 256 kB\nPss: 100 kB\nAnonymous: 64 kB\nSwap: 8 kB\n";
	const struct ksr_text text = {lines, sizeof(lines) - 1};
	struct ksr_process *process = &report->processes[report->process_count];

	process->snapshot.header = *header;
	process->snapshot.size = size;
	process->snapshot.data = malloc(size);
	process->owner = true;
	if (!process->snapshot.data || ksr_smaps_parse(&text, &process->smaps)) {
		free(process->snapshot.data);
		return -1;
	}
	memcpy(process->snapshot.data, data, size);
	report->process_count++;
	return 0;
}

static void check_groups(const struct ksr_report *report)
{
	uint64_t shared = 0;

	for (size_t i = 0; i < report->group_count; i++) {
		const struct ksr_group *group = &report->groups[i];
		uint64_t reasons = 0;

		for (uint32_t k = 0; k < KSMALLOC_ASIDE_COUNT; k++)
			reasons += group->reasons[k];
		if (group->asked > group->processes || group->aside > reasons || reasons > group->asked ||
		    group->store_files > group->processes * KSMALLOC_MAX_STORE_FILES || group->store > UINT64_C(1) << 56)
			abort();
		shared += group->shared;
	}
	if (shared != report->totals.shared || shared != report->process_count * (0x80000 - (64 + 8) * 1024))
		abort();
}

/* Whatever processes say of themselves, and of their group's store, adds up. */
static void sum_up(const uint8_t *data, size_t size, const struct ksmalloc_segment_header *header)
{
	struct ksr_report report = {.page_bytes = 4096, .processes = calloc(2, sizeof(*report.processes))};
	const char *const words[] = {ksr_aside_key(header->share.aside), ksr_aside_words(header->share.aside)};

	if (!words[0][0] || !words[1][0] || !ksr_aside_remedy(header->share.aside))
		abort();
	if (report.processes && add_process(&report, data, size, header) == 0 &&
	    add_process(&report, data, size, header) == 0 && ksr_report_aggregate(NULL, &report) == 0)
		check_groups(&report);
	ksr_report_destroy(&report);
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
		sum_up(data, size, &snapshot.header);
	}
	free(snapshot.data);
	return 0;
}
