/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as the history of a process: what is made of them holds what history.h says. */
#include <stdlib.h>
#include <string.h>

#include "read/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct ksr_history *history)
{
	if (history->moment_count == 0 || history->moments[0].kind != KSR_MOMENT_START)
		abort();
	for (uint32_t i = 0; i < history->moment_count; i++) {
		const struct ksr_moment *moment = &history->moments[i];

		if (!memchr(moment->name, 0, sizeof(moment->name)) ||
		    (i < 64 && ksr_history_match(history, moment) > i))
			abort();
	}
	for (size_t i = 0; i < history->taken_count; i++) {
		const struct ksr_taken *taken = &history->taken[i];
		const struct ksr_taken *found = ksr_history_find(history, taken->begin);

		if (taken->moment >= history->moment_count || taken->begin >= taken->end ||
		    (i && taken->begin < taken[-1].begin))
			abort();
		if (!found || taken->begin < found->begin || taken->begin >= found->end)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size, which is a history by its first bytes. */
	const size_t head = offsetof(struct ksmalloc_history, capacity);
	struct ksr_history history;
	struct ksmalloc_history start;
	char *copy = malloc(size ? size : 1);
	int error;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	if (size >= head) {
		memcpy(&start, data, head);
		memcpy(start.magic, KSMALLOC_HISTORY_MAGIC, sizeof(start.magic));
		start.stride = sizeof(struct ksmalloc_event) + start.stride % 1024;
		memcpy(copy, &start, head);
	}
	error = ksr_history_parse(copy, size, &history);
	if (error == 0)
		check(&history);
	ksr_history_free(&history);
	free(copy);
	return 0;
}
