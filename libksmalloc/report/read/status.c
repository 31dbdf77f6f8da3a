/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "read/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void ksr_ksm_stat_parse(const struct ksr_text *text, struct ksr_ksm_stat *stat)
{
	const char *profit;

	stat->rmap_items = ksr_number_labelled(text, "ksm_rmap_items");
	stat->zero_pages = ksr_number_labelled(text, "ksm_zero_pages");
	stat->merging_pages = ksr_number_labelled(text, "ksm_merging_pages");
	stat->process_profit = 0;
	profit = text->size ? strstr(text->data, "ksm_process_profit ") : NULL;
	if (profit)
		stat->process_profit = strtoll(profit + 19, NULL, 10);
}

int ksr_ksm_stat_read(const struct ksr_fs *fs, pid_t pid, struct ksr_ksm_stat *stat)
{
	struct ksr_text text;
	int error = ksr_fs_read(fs, &text, "proc/%d/ksm_stat", (int)pid);

	memset(stat, 0xff, sizeof(*stat));
	stat->process_profit = 0;
	if (!error) {
		ksr_ksm_stat_parse(&text, stat);
		ksr_text_free(&text);
	}
	if (stat->merging_pages != KSR_NONE)
		return 0;
	return ksr_fs_read_u64(fs, &stat->merging_pages, "proc/%d/ksm_merging_pages", (int)pid);
}

static void take_field(int field, uint64_t value, struct ksr_status *status)
{
	if (field == 4)
		status->parent = (pid_t)value;
	else if (field == 14 || field == 15)
		status->cpu_ticks += value;
	else if (field == 22)
		status->start_time_ticks = value;
	else if (field == 28)
		status->start_stack = value;
}

bool ksr_status_parse_stat(const struct ksr_text *text, struct ksr_status *status)
{
	/* The command is in parentheses and may itself hold blanks and parentheses. */
	const char *open = memchr(text->data, '(', text->size);
	const char *close = memrchr(text->data, ')', text->size);
	const char *end = text->data + text->size;
	uint64_t value;
	size_t bytes;

	status->cpu_ticks = 0;
	status->start_stack = 0;
	if (!open || !close || close < open)
		return false;
	bytes = (size_t)(close - open - 1);
	if (bytes >= sizeof(status->command))
		bytes = sizeof(status->command) - 1;
	memcpy(status->command, open + 1, bytes);
	status->command[bytes] = '\0';
	/* Field 3 follows the parenthesis. */
	for (int field = 3; field <= 28; field++) {
		const char *blank = memchr(close, ' ', (size_t)(end - close));

		if (!blank)
			return field > 22;
		close = blank + 1;
		if (field == 3)
			status->state = *close;
		else if (ksr_number_after(close, end, &value))
			take_field(field, value, status);
		else if (field == 22)
			return false;
	}
	return true;
}

pid_t ksr_status_last_number(const struct ksr_text *text, const char *label)
{
	const char *line = strstr(text->data, label);
	const char *end = line ? strchr(line + 1, '\n') : NULL;
	const char *last = end;

	if (!end)
		return 0;
	while (last > line && last[-1] >= '0' && last[-1] <= '9')
		last--;
	return (pid_t)strtol(last, NULL, 10);
}

int ksr_status_read(const struct ksr_fs *fs, pid_t pid, struct ksr_status *status)
{
	struct ksr_text text;
	uint64_t kib;
	int error;

	memset(status, 0, sizeof(*status));
	status->page_tables = KSR_NONE;
	error = ksr_fs_read(fs, &text, "proc/%d/stat", (int)pid);
	if (error)
		return error;
	if (!ksr_status_parse_stat(&text, status))
		error = -EINVAL;
	ksr_text_free(&text);
	if (error)
		return error;
	error = ksr_fs_read(fs, &text, "proc/%d/status", (int)pid);
	if (error)
		return error;
	kib = ksr_number_labelled(&text, "VmPTE");
	if (kib != KSR_NONE)
		status->page_tables = kib * 1024;
	status->uid = ksr_number_labelled(&text, "Uid");
	status->inner_pid = ksr_status_last_number(&text, "\nNSpid:");
	ksr_text_free(&text);
	return 0;
}
