/* SPDX-License-Identifier: BSD-2-Clause */
#include "exporter/history.h"

#include <inttypes.h>
#include <string.h>

void ksr_history_add(struct ksr_history *history, const struct ksr_point *point)
{
	history->points[history->next] = *point;
	history->next = (history->next + 1) % KSR_HISTORY_POINTS;
	if (history->count < KSR_HISTORY_POINTS)
		history->count++;
}

static void write_list(const struct ksr_history *history, const char *name, size_t offset, FILE *output)
{
	size_t first = (history->next + KSR_HISTORY_POINTS - history->count) % KSR_HISTORY_POINTS;

	fprintf(output, "\"%s\":[", name);
	for (size_t i = 0; i < history->count; i++) {
		const struct ksr_point *point = &history->points[(first + i) % KSR_HISTORY_POINTS];
		uint64_t value;

		memcpy(&value, (const char *)point + offset, sizeof(value));
		fprintf(output, "%s%" PRIu64, i ? "," : "", value);
	}
	putc(']', output);
}

void ksr_history_write(const struct ksr_history *history, FILE *output)
{
	static const struct {
		const char *name;
		size_t offset;
	} lists[] = {
#define LIST(name) {#name, offsetof(struct ksr_point, name)},
		KSR_HISTORY_VALUES(LIST)
#undef LIST
	};

	putc('{', output);
	for (size_t i = 0; i < KSM_COUNT_OF(lists); i++) {
		if (i)
			putc(',', output);
		write_list(history, lists[i].name, lists[i].offset, output);
	}
	putc('}', output);
}
