/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What groups share by their stores. How much a process maps of it is read in its smaps, where a mapping of the store
 * less what was copied is exact; what the store takes, and why processes stand aside, their segments tell. A file
 * counts once, however many have it open, with the most that one of them says of it.
 */
#define _GNU_SOURCE
#include "join/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "join/aside.h"

/* No machine has more memory. */
#define MOST_BYTES (UINT64_C(1) << 56)

/* The pages of the store among those that are mapped: of what is the process's own nothing is known but its size. */
static uint64_t pss_of_files(const struct ksr_vma *vma)
{
	return ksr_less(vma->pss, vma->anonymous);
}

static void add_memory(struct ksr_report *report, const struct ksr_process *process, struct ksr_group *group)
{
	for (size_t i = 0; i < process->smaps.count; i++) {
		const struct ksr_vma *vma = &process->smaps.vmas[i];
		struct ksr_memory memory;

		report->totals.pss += vma->pss;
		if (!(vma->flags & KSR_VMA_STORE))
			continue;
		ksr_memory_from_vma(vma, &memory);
		group->shared += memory.shared;
		report->totals.shared += memory.shared;
		group->store_pss += pss_of_files(vma);
		report->totals.store_pss += pss_of_files(vma);
	}
}

static void add_words(const struct ksr_process *process, struct ksr_group *group)
{
	const struct ksmalloc_segment_share *share = &process->snapshot.header.share;

	if (!ksr_store_is_asked(&process->snapshot.header))
		return;
	group->asked++;
	group->aside += ksr_store_is_aside(&process->snapshot.header);
	if (share->aside != KSMALLOC_ASIDE_NOT)
		group->reasons[share->aside < KSMALLOC_ASIDE_COUNT ? share->aside : KSMALLOC_ASIDE_FAILED]++;
	if (!process->owner)
		return;
#define ADD(name, kind, help) group->share.name += share->stats.name;
	KSMALLOC_SHARE_STATS(ADD)
#undef ADD
#define ADD(name, kind, help) group->huge.name += process->snapshot.header.huge.stats.name;
	KSMALLOC_HUGE_STATS(ADD)
#undef ADD
}

/* What a process says of a file. */
struct said {
	uint64_t inode;
	uint64_t bytes;
	uint64_t huge_bytes;
};

static int compare_files(const void *left, const void *right)
{
	const struct said *a = left;
	const struct said *b = right;

	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	return a->bytes < b->bytes ? 1 : a->bytes > b->bytes ? -1 : 0;
}

/* Counts each file once; a process may say anything of them, but it adds up to no more than memory has. */
static void count_files(struct said *files, size_t count, struct ksr_group *group)
{
	qsort(files, count, sizeof(*files), compare_files);
	for (size_t i = 0; i < count;) {
		const struct said *file = &files[i];
		uint64_t bytes = ksm_min(file->bytes, MOST_BYTES);
		uint64_t huge = 0;

		for (; i < count && files[i].inode == file->inode; i++)
			huge = ksm_max(huge, ksm_min(files[i].huge_bytes, bytes));
		group->store_files++;
		group->store = ksm_min(group->store + bytes, MOST_BYTES);
		group->store_huge = ksm_min(group->store_huge + huge, MOST_BYTES);
	}
}

static int add_files(const struct ksr_report *report, struct ksr_group *group)
{
	struct said *files = calloc((size_t)group->processes * KSMALLOC_MAX_STORE_FILES, sizeof(*files));
	size_t count = 0;

	if (!files)
		return -ENOMEM;
	for (size_t i = 0; i < report->process_count; i++) {
		const struct ksmalloc_segment_header *header = &report->processes[i].snapshot.header;

		if (header->layout != group->layout || strcmp(header->group, group->name) != 0)
			continue;
		for (size_t k = 0; k < KSMALLOC_MAX_STORE_FILES; k++) {
			const struct ksmalloc_segment_store_file *file = &header->share.files[k];

			if (file->inode)
				files[count++] = (struct said){file->inode, file->bytes, header->huge.files[k]};
		}
	}
	count_files(files, count, group);
	free(files);
	return 0;
}

/* What processes have of a store may be the same pages: more is forgotten than this. */
uint64_t ksr_store_forgotten(const struct ksr_report *report)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < report->group_count && !report->is_part; i++)
		bytes += ksr_less(report->groups[i].store, report->groups[i].shared);
	return bytes;
}

int ksr_store_finish(struct ksr_report *report)
{
	for (size_t i = 0; i < report->process_count; i++) {
		const struct ksr_process *process = &report->processes[i];
		const struct ksmalloc_segment_header *header = &process->snapshot.header;
		struct ksr_group *group = ksr_group_find(report, header->group, header->layout);

		if (!group)
			return -ENOMEM;
		add_memory(report, process, group);
		add_words(process, group);
	}
	for (size_t i = 0; i < report->group_count; i++) {
		struct ksr_group *group = &report->groups[i];
		int error = group->asked ? add_files(report, group) : 0;

		if (error)
			return error;
		report->totals.store += group->store;
		report->totals.store_huge += group->store_huge;
		report->totals.sharing_asked += group->asked;
	}
	return 0;
}
