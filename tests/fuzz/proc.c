/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text as a file of /proc: all parsers see all inputs. */
#include <stdlib.h>
#include <string.h>

#include "read/snapshot.h"
#include "read/counters.h"
#include "read/rollup.h"
#include "read/smaps.h"
#include "read/status.h"
#include "read/space.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_smaps(const struct ksr_text *text)
{
	struct ksr_smaps smaps;

	if (ksr_smaps_parse(text, &smaps))
		return;
	for (size_t i = 0; i < smaps.count; i++) {
		const struct ksr_vma *vma = &smaps.vmas[i];

		/* What the join relies on. */
		if (vma->begin >= vma->end || (i && vma->begin < vma[-1].end) ||
		    !memchr(vma->name, 0, sizeof(vma->name)))
			abort();
	}
	ksr_smaps_free(&smaps);
}

static void parse_small_files(const struct ksr_text *text)
{
	struct ksr_status status = {0};
	struct ksr_map_line map;
	struct ksr_ksm_stat stat;
	struct ksr_rollup rollup;
	char word[16];

	if (ksr_rollup_parse(text, &rollup) == 0 && (rollup.rss == KSR_NONE || rollup.pss == KSR_NONE))
		abort();
	ksr_ksm_stat_parse(text, &stat);
	if (ksr_status_parse_stat(text, &status) &&
	    !memchr(status.command, 0, sizeof(status.command)))
		abort();
	ksr_chosen_word(text->data, word, sizeof(word));
	if (ksr_snapshot_is_mapped(text, &map) &&
	    (map.path < text->data || map.path + map.path_bytes > text->data + text->size))
		abort();
}

static void parse_counters(const struct ksr_text *text)
{
	struct ksr_counter_table table;

	if (ksr_counters_parse(text, &table))
		return;
	for (size_t i = 0; i < table.count; i++) {
		const struct ksr_counters *row = &table.rows[i];

		/* What the sums rely on: bytes of pages fit, and each site is found. */
		if (row->saved > row->merged || row->merged > UINT64_MAX / 8192 ||
		    row->site > KSMALLOC_HINT_SITE_MASK || ksr_counters_find(&table, row->site) != row)
			abort();
	}
	ksr_counters_free(&table);
}

static void parse_space(const struct ksr_text *text)
{
	static uint64_t pointers[] = {0x7f0000001000};
	const struct ksr_stacks stacks = {pointers, 1, 0x10000};
	struct ksr_space space = {.page_bytes = 4096};
	uint32_t *match;

	if (ksr_space_parse(NULL, &space, text, "/bin/p", &stacks) == 0 &&
	    space.region_count < 64) {
		match = ksr_space_match(&space, &space);
		for (size_t i = 0; match && i < space.range_count; i++) {
			const struct ksr_range *range = &space.ranges[i];

			/* What finding an address and the walks rely on. */
			if (range->begin >= range->end || range->region >= space.region_count ||
			    (i && range->begin < range[-1].end) ||
			    ksr_space_find(&space, range->begin) != range ||
			    match[range->region] != range->region)
				abort();
		}
		free(match);
	}
	ksr_space_destroy(&space);
	(void)ksr_auxv_find(text, 25);
	(void)ksr_syscall_stack(text);
	if (ksr_limits_stack(text) == 0 || ksr_image_bytes(text->data, text->size) == UINT64_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ksr_text text = {.data = malloc(size + 1), .size = size};

	if (!text.data)
		return 0;
	memcpy(text.data, data, size);
	text.data[size] = '\0';
	parse_smaps(&text);
	parse_small_files(&text);
	parse_counters(&text);
	parse_space(&text);
	free(text.data);
	return 0;
}
