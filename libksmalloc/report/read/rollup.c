/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "read/rollup.h"

#include <errno.h>
#include <string.h>

struct rule {
	const char *label;
	size_t label_bytes;
	size_t offset;
};

#define RULE(member, label) {label, sizeof(label) - 1, offsetof(struct ksr_rollup, member)},

static const struct rule rules[] = {KSR_ROLLUP_FIELDS(RULE)};

static void parse_line(const char *line, size_t bytes, struct ksr_rollup *rollup)
{
	const char *colon = memchr(line, ':', bytes);
	uint64_t kib;

	for (size_t i = 0; colon && i < KSM_COUNT_OF(rules); i++) {
		if (rules[i].label_bytes != (size_t)(colon - line) ||
		    memcmp(line, rules[i].label, rules[i].label_bytes) != 0)
			continue;
		if (ksr_number_after(colon + 1, line + bytes, &kib) && kib <= UINT64_MAX / 2048)
			*(uint64_t *)(void *)((char *)rollup + rules[i].offset) = kib * 1024;
		return;
	}
}

int ksr_rollup_parse(const struct ksr_text *text, struct ksr_rollup *rollup)
{
	size_t position = 0;
	const char *line;
	size_t bytes;

	memset(rollup, 0xff, sizeof(*rollup));
	while (ksr_text_line(text, &position, &line, &bytes))
		parse_line(line, bytes, rollup);
	return rollup->rss == KSR_NONE || rollup->pss == KSR_NONE ? -EINVAL : 0;
}

int ksr_rollup_read(const struct ksr_fs *fs, pid_t pid, struct ksr_rollup *rollup)
{
	struct ksr_text text;
	int error = ksr_fs_read(fs, &text, "proc/%d/smaps_rollup", (int)pid);

	if (error)
		return error;
	/* The memory of a process that ends is gone before the process is. */
	error = text.size ? ksr_rollup_parse(&text, rollup) : -ESRCH;
	ksr_text_free(&text);
	return error;
}
