/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text as a file of /proc: all parsers see all inputs. */
#include <stdlib.h>
#include <string.h>

#include "snapshot.h"
#include "sources.h"

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
	char word[16];

	ksr_ksm_stat_parse(text, &stat);
	if (ksr_status_parse_stat(text, &status) &&
	    !memchr(status.command, 0, sizeof(status.command)))
		abort();
	ksr_chosen_word(text->data, word, sizeof(word));
	if (ksr_snapshot_is_mapped(text, &map) &&
	    (map.path < text->data || map.path + map.path_bytes > text->data + text->size))
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
	free(text.data);
	return 0;
}
