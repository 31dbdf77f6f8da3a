/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "read/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "read/search.h"

/* Bytes of an event of any later version. */
#define STRIDE_MOST 1024u
#define DEPTHS_MOST 8u

/* --- building ------------------------------------------------------------------------------ */

static uint32_t add_moment(struct ksr_history *history, const struct ksr_moment *moment)
{
	history->moments[history->moment_count] = *moment;
	return history->moment_count++;
}

static void add_taken(struct ksr_history *history, const struct ksmalloc_event *event,
		      uint32_t moment)
{
	if (event->begin >= event->end)
		return;
	history->taken[history->taken_count++] =
		(struct ksr_taken){.begin = event->begin,
				   .end = event->end,
				   .moment = moment,
				   .is_objects = event->kind == KSMALLOC_EVENT_OBJECTS};
}

/* All that threads of a depth took; made when the first of them took something. */
static uint32_t moment_of_threads(struct ksr_history *threads, uint32_t depth)
{
	uint32_t at = ksm_min(depth, DEPTHS_MOST - 1);

	threads->moments[at].kind = KSR_MOMENT_THREADS;
	threads->moments[at].depth = depth;
	return at;
}

static void add_event(struct ksr_history *history, struct ksr_history *threads,
		      const struct ksmalloc_event *event)
{
	struct ksr_moment moment = {.depth = event->depth};

	switch (event->kind) {
	case KSMALLOC_EVENT_FORK:
		moment.kind = KSR_MOMENT_FORK;
		add_moment(history, &moment);
		break;
	case KSMALLOC_EVENT_ANCHOR:
		moment.kind = KSR_MOMENT_ANCHOR;
		moment.hash = event->hash;
		memcpy(moment.name, event->name, sizeof(moment.name) - 1);
		add_moment(history, &moment);
		break;
	case KSMALLOC_EVENT_BLOCKS:
	case KSMALLOC_EVENT_OBJECTS:
		if (event->thread)
			add_taken(threads, event, moment_of_threads(threads, event->depth));
		else
			add_taken(history, event, history->moment_count - 1);
		break;
	default:
		break;
	}
}

static int compare_taken(const void *left, const void *right)
{
	const struct ksr_taken *a = left;
	const struct ksr_taken *b = right;

	return a->begin < b->begin ? -1 : a->begin > b->begin;
}

/* Puts what threads took behind the rest. */
static void join(struct ksr_history *history, const struct ksr_history *threads)
{
	uint32_t places[DEPTHS_MOST] = {0};

	for (uint32_t i = 0; i < DEPTHS_MOST; i++) {
		if (threads->moments[i].kind == KSR_MOMENT_THREADS)
			places[i] = add_moment(history, &threads->moments[i]);
	}
	for (size_t i = 0; i < threads->taken_count; i++) {
		history->taken[history->taken_count] = threads->taken[i];
		history->taken[history->taken_count++].moment = places[threads->taken[i].moment];
	}
	if (history->taken_count)
		qsort(history->taken, history->taken_count, sizeof(*history->taken), compare_taken);
}

static int allocate(struct ksr_history *history, size_t moments, size_t taken)
{
	memset(history, 0, sizeof(*history));
	history->moments = calloc(moments, sizeof(*history->moments));
	history->taken = calloc(taken, sizeof(*history->taken));
	if (history->moments && history->taken)
		return 0;
	ksr_history_free(history);
	return -ENOMEM;
}

int ksr_history_parse(const void *data, size_t size, struct ksr_history *history)
{
	const size_t head = offsetof(struct ksmalloc_history, events);
	static const struct ksr_moment start = {.kind = KSR_MOMENT_START};
	struct ksmalloc_history header;
	struct ksr_history threads;
	uint64_t count;

	memset(history, 0, sizeof(*history));
	if (size < head)
		return -EINVAL;
	memcpy(&header, data, head);
	if (memcmp(header.magic, KSMALLOC_HISTORY_MAGIC, sizeof(header.magic)) != 0 ||
	    header.stride < sizeof(struct ksmalloc_event) || header.stride > STRIDE_MOST)
		return -EINVAL;
	count = ksm_min(ksm_min(header.count, header.capacity), (size - head) / header.stride);
	if (allocate(history, count + 1 + DEPTHS_MOST, count + 1))
		return -ENOMEM;
	if (allocate(&threads, DEPTHS_MOST, count + 1)) {
		ksr_history_free(history);
		return -ENOMEM;
	}
	history->lost = header.count - ksm_min(header.count, header.capacity);
	add_moment(history, &start);
	for (uint64_t i = 0; i < count; i++) {
		struct ksmalloc_event event;

		memcpy(&event, (const char *)data + head + i * header.stride, sizeof(event));
		add_event(history, &threads, &event);
	}
	join(history, &threads);
	ksr_history_free(&threads);
	return 0;
}

void ksr_history_free(struct ksr_history *history)
{
	free(history->moments);
	free(history->taken);
	memset(history, 0, sizeof(*history));
}

/* Reads the events that there are: pages behind them were never touched, and shall not be. */
static int copy(int fd, uint64_t address, struct ksmalloc_history *data,
		struct ksr_history *history)
{
	size_t size = offsetof(struct ksmalloc_history, events);

	if (pread(fd, data, size, (off_t)address) != (ssize_t)size)
		return -EIO;
	size += ksm_min((uint64_t)ksm_min(data->count, data->capacity) * data->stride,
			sizeof(*data) - size);
	if (pread(fd, data, size, (off_t)address) != (ssize_t)size)
		return -EIO;
	return ksr_history_parse(data, size, history);
}

int ksr_history_read(const struct ksr_fs *fs, const struct ksr_snapshot *snapshot,
		     struct ksr_history *history)
{
	uint64_t address = snapshot->header.history_address;
	struct ksmalloc_history *data;
	int error;
	int fd;

	memset(history, 0, sizeof(*history));
	if (address == 0 || address > INT64_MAX)
		return -ENOENT;
	fd = ksr_fs_open(fs, O_RDONLY, "proc/%d/mem", (int)snapshot->pid);
	if (fd < 0)
		return fd;
	data = malloc(sizeof(*data));
	error = data ? copy(fd, address, data, history) : -ENOMEM;
	close(fd);
	free(data);
	return error;
}

/* --- questions ------------------------------------------------------------------------------- */

static uint64_t begin_of(const void *element)
{
	return ((const struct ksr_taken *)element)->begin;
}

const struct ksr_taken *ksr_history_find(const struct ksr_history *history, uint64_t address)
{
	size_t behind = ksr_search_above(history->taken, history->taken_count, sizeof(*history->taken), begin_of, address);

	/* The last one that begins at the address or before. */
	if (behind == 0 || address >= history->taken[behind - 1].end)
		return NULL;
	return &history->taken[behind - 1];
}

bool ksr_moment_is_same(const struct ksr_moment *a, const struct ksr_moment *b)
{
	return a->kind == b->kind && a->depth == b->depth && a->hash == b->hash;
}

uint32_t ksr_history_match(const struct ksr_history *history, const struct ksr_moment *moment)
{
	for (uint32_t i = 0; i < history->moment_count; i++) {
		if (ksr_moment_is_same(&history->moments[i], moment))
			return i;
	}
	return UINT32_MAX;
}
