/* SPDX-License-Identifier: BSD-2-Clause */
#include "join/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "read/grow.h"

/* A file that has less than this part of all is not worth a row. */
#define WORTH 50

/* Where the name is or belongs. */
static size_t position_of(const struct ksr_files *files, const char *name)
{
	size_t low = 0;
	size_t high = files->count;

	/* Mappings of one file follow each other. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(files->list[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* NULL without memory. */
static struct ksr_file *obtain(struct ksr_files *files, const char *name)
{
	size_t at = position_of(files, name);
	struct ksr_file *larger;

	if (at < files->count && strcmp(files->list[at].name, name) == 0)
		return &files->list[at];
	larger = ksr_grow(files->list, files->count, &files->room, sizeof(*larger));
	if (!larger)
		return NULL;
	files->list = larger;
	memmove(&files->list[at + 1], &files->list[at], (files->count - at) * sizeof(*files->list));
	files->count++;
	files->list[at] = (struct ksr_file){.files = 1};
	snprintf(files->list[at].name, sizeof(files->list[at].name), "%s", name);
	return &files->list[at];
}

int ksr_files_add(struct ksr_files *files, const char *name, const struct ksr_memory *memory)
{
	struct ksr_file *file = obtain(files, name);

	if (!file)
		return -ENOMEM;
	ksr_memory_add(&file->memory, memory);
	return 0;
}

void ksr_files_free(struct ksr_files *files)
{
	free(files->list);
	*files = (struct ksr_files){0};
}

int ksr_files_join(struct ksr_report *report, const struct ksr_files *files, const struct ksr_memory *was,
		   const struct ksr_memory *is)
{
	struct ksr_files sums = {report->files, report->file_count, report->file_room};
	int error = 0;

	for (size_t i = 0; i < files->count && !error; i++) {
		struct ksr_memory memory = ksr_memory_rescale(&files->list[i].memory, was, is);
		struct ksr_file *file = obtain(&sums, files->list[i].name);

		if (!file) {
			error = -ENOMEM;
			break;
		}
		ksr_memory_add(&file->memory, &memory);
		file->processes++;
	}
	report->files = sums.list;
	report->file_count = sums.count;
	report->file_room = sums.room;
	return error;
}

static int compare_held(const void *left, const void *right)
{
	const struct ksr_file *a = left;
	const struct ksr_file *b = right;

	if (a->memory.held != b->memory.held)
		return a->memory.held > b->memory.held ? -1 : 1;
	return strcmp(a->name, b->name);
}

void ksr_files_finish(struct ksr_report *report)
{
	struct ksr_file others = {.name = ""};
	uint64_t all = 0;
	size_t kept = 0;

	if (report->file_count == 0)
		return;
	qsort(report->files, report->file_count, sizeof(*report->files), compare_held);
	for (size_t i = 0; i < report->file_count; i++)
		all += report->files[i].memory.held;
	while (kept < report->file_count && report->files[kept].memory.held >= all / WORTH)
		kept++;
	for (size_t i = kept; i < report->file_count; i++) {
		ksr_memory_add(&others.memory, &report->files[i].memory);
		others.processes = (uint32_t)ksm_max(others.processes, report->files[i].processes);
		others.files++;
	}
	/* One file by itself keeps its name. */
	if (others.files > 1) {
		report->files[kept] = others;
		report->file_count = kept + 1;
	}
}

void ksr_file_words(const struct ksr_file *file, char *text, size_t bytes)
{
	snprintf(text, bytes, "(data of %s)", file->name[0] ? file->name : "other files");
}
