/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ids come in the order own process, parent, group, session, then threads by
 * number, each as the reader sees it and as the process itself does: so the
 * n-th id of one process corresponds to the n-th of another that runs the same
 * program.
 */
#define _GNU_SOURCE
#include "read/identity.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "read/clock.h"

#define AUXV_RANDOM 25 /* AT_RANDOM */
#define MOST_IDS 1024

static void add_id(struct ksr_identity *identity, pid_t id)
{
	if (identity->ids && identity->id_count < MOST_IDS)
		identity->ids[identity->id_count++] = id;
}

static int compare_ids(const void *left, const void *right)
{
	pid_t a = *(const pid_t *)left;
	pid_t b = *(const pid_t *)right;

	return a < b ? -1 : a > b;
}

struct thread_list {
	pid_t *ids;
	size_t count;
};

static int visit_thread(const char *name, void *user)
{
	struct thread_list *list = user;
	long id = isdigit((unsigned char)name[0]) ? strtol(name, NULL, 10) : 0;

	if (id > 0 && list->count < MOST_IDS)
		list->ids[list->count++] = (pid_t)id;
	return 0;
}

/* By number, so that threads that were made in the same order correspond. */
static struct thread_list list_threads(const struct ksr_fs *fs, pid_t pid)
{
	struct thread_list list = {calloc(MOST_IDS, sizeof(*list.ids)), 0};
	char folder[64];

	/* A recorded tree has no threads. */
	if (!list.ids || !fs->live)
		return list;
	snprintf(folder, sizeof(folder), "/proc/%d/task", (int)pid);
	(void)ksr_fs_list_folder(folder, visit_thread, &list);
	qsort(list.ids, list.count, sizeof(*list.ids), compare_ids);
	return list;
}

static void read_threads(const struct ksr_fs *fs, pid_t pid, struct ksr_identity *identity)
{
	struct thread_list list = list_threads(fs, pid);

	for (size_t i = 0; i < list.count; i++) {
		struct ksr_text text;

		if (list.ids[i] == pid)
			continue;
		add_id(identity, list.ids[i]);
		if (ksr_fs_read(fs, &text, "proc/%d/task/%d/status", (int)pid, (int)list.ids[i]))
			continue;
		add_id(identity, ksr_status_last_number(&text, "\nNSpid:"));
		ksr_text_free(&text);
	}
	free(list.ids);
}

static void read_ids(const struct ksr_fs *fs, pid_t pid, const struct ksr_status *status,
		     struct ksr_identity *identity)
{
	struct ksr_text text;

	identity->ids = calloc(MOST_IDS, sizeof(*identity->ids));
	add_id(identity, pid);
	add_id(identity, status->inner_pid);
	add_id(identity, status->parent);
	if (ksr_fs_read(fs, &text, "proc/%d/status", (int)pid) == 0) {
		add_id(identity, ksr_status_last_number(&text, "\nNSpgid:"));
		add_id(identity, ksr_status_last_number(&text, "\nNSsid:"));
		ksr_text_free(&text);
	}
	read_threads(fs, pid, identity);
}

static void read_clocks(const struct ksr_status *status, struct ksr_identity *identity)
{
	uint64_t ticks = (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t age;

	identity->real_end = ksr_clock_of(CLOCK_REALTIME);
	identity->boot_end = ksr_clock_of(CLOCK_BOOTTIME);
	identity->boot_begin = status->start_time_ticks / ticks * KSR_CLOCK_SECOND;
	age = identity->boot_end > identity->boot_begin ? identity->boot_end - identity->boot_begin
							: 0;
	identity->real_begin = identity->real_end - ksm_min(age, identity->real_end);
}

static void read_random(const struct ksr_fs *fs, pid_t pid, struct ksr_identity *identity)
{
	struct ksr_text auxv;
	uint64_t address;
	int fd;

	if (ksr_fs_read(fs, &auxv, "proc/%d/auxv", (int)pid))
		return;
	address = ksr_auxv_find(&auxv, AUXV_RANDOM);
	ksr_text_free(&auxv);
	fd = address ? ksr_fs_open(fs, O_RDONLY, "proc/%d/mem", (int)pid) : -1;
	if (fd < 0)
		return;
	identity->has_random = pread(fd, identity->random, sizeof(identity->random),
				     (off_t)address) == (ssize_t)sizeof(identity->random);
	close(fd);
}

void ksr_identity_read(const struct ksr_fs *fs, pid_t pid, const struct ksr_status *status,
		       struct ksr_identity *identity)
{
	memset(identity, 0, sizeof(*identity));
	read_ids(fs, pid, status, identity);
	read_clocks(status, identity);
	read_random(fs, pid, identity);
}

void ksr_identity_free(struct ksr_identity *identity)
{
	free(identity->ids);
	memset(identity, 0, sizeof(*identity));
}

uint64_t ksr_auxv_find(const struct ksr_text *auxv, uint64_t type)
{
	uint64_t pair[2];

	for (size_t i = 0; i + sizeof(pair) <= auxv->size; i += sizeof(pair)) {
		memcpy(pair, auxv->data + i, sizeof(pair));
		if (pair[0] == type)
			return pair[1];
	}
	return 0;
}

/* "NR ARGS... SP PC" in hexadecimal, or "running", or "-1 SP PC" outside of a call. */
uint64_t ksr_syscall_stack(const struct ksr_text *text)
{
	uint64_t numbers[16] = {0};
	size_t count = 0;
	char *cursor = text->data;

	while (count < KSM_COUNT_OF(numbers)) {
		char *end;
		uint64_t number = strtoull(cursor, &end, count ? 16 : 10);

		if (end == cursor)
			break;
		numbers[count++] = number;
		cursor = end;
	}
	return count >= 3 ? numbers[count - 2] : 0;
}

uint64_t ksr_limits_stack(const struct ksr_text *limits)
{
	static const char label[] = "Max stack size";
	const char *line = strstr(limits->data, label);
	uint64_t soft = line ? strtoull(line + sizeof(label) - 1, NULL, 10) : 0;

	/* Without a limit glibc gives 2 MiB. */
	return soft ? soft : 2 * KSM_MIB;
}

void ksr_stacks_read(const struct ksr_fs *fs, pid_t pid, struct ksr_stacks *stacks)
{
	struct thread_list list = list_threads(fs, pid);
	struct ksr_text text;

	*stacks = (struct ksr_stacks){calloc(list.count + 1, sizeof(uint64_t)), 0, 0};
	if (ksr_fs_read(fs, &text, "proc/%d/limits", (int)pid) == 0) {
		stacks->bytes = ksr_limits_stack(&text);
		ksr_text_free(&text);
	}
	for (size_t i = 0; stacks->pointers && i < list.count; i++) {
		if (list.ids[i] == pid ||
		    ksr_fs_read(fs, &text, "proc/%d/task/%d/syscall", (int)pid, (int)list.ids[i]))
			continue;
		stacks->pointers[stacks->count] = ksr_syscall_stack(&text);
		stacks->count += stacks->pointers[stacks->count] != 0;
		ksr_text_free(&text);
	}
	free(list.ids);
}
