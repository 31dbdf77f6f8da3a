/* SPDX-License-Identifier: BSD-2-Clause */
#include "top/divide.h"

#include <errno.h>
#include <stdlib.h>

#include "join/memory.h"

/* No machine has more memory: what a process says of files is bounded by it. */
#define MOST_BYTES (UINT64_C(1) << 56)

struct file {
	uint64_t inode;
	uint64_t bytes;
};

static int compare_sharers(const void *left, const void *right)
{
	const struct ksr_top_sharer *a = left;
	const struct ksr_top_sharer *b = right;

	return a->store < b->store ? -1 : a->store > b->store;
}

static int compare_files(const void *left, const void *right)
{
	const struct file *a = left;
	const struct file *b = right;

	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	return a->bytes < b->bytes ? 1 : a->bytes > b->bytes ? -1 : 0;
}

/* Each file once, with the most that somebody says of it. */
static uint64_t sum_of_files(const struct ksr_top_sharer *sharers, size_t count, struct file *files)
{
	uint64_t sum = 0;
	size_t known = 0;

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < KSMALLOC_MAX_STORE_FILES; k++) {
			if (sharers[i].files[k].inode)
				files[known++] = (struct file){sharers[i].files[k].inode,
							       ksm_min(sharers[i].files[k].bytes, MOST_BYTES)};
		}
	}
	qsort(files, known, sizeof(*files), compare_files);
	for (size_t i = 0; i < known; i++) {
		if (i == 0 || files[i].inode != files[i - 1].inode)
			sum = ksm_min(sum + files[i].bytes, MOST_BYTES);
	}
	return sum;
}

static void divide_store(struct ksr_top_sharer *sharers, size_t count, struct file *files)
{
	uint64_t store = sum_of_files(sharers, count, files);
	uint64_t shared = 0;
	uint64_t pss = 0;

	for (size_t i = 0; i < count; i++) {
		shared += ksm_min(sharers[i].shared, MOST_BYTES);
		pss += sharers[i].store_pss;
	}
	/* What is in somebody's memory is there, whatever they say of files. */
	store = ksm_max(store, pss);
	for (size_t i = 0; i < count; i++) {
		uint64_t mine = ksm_min(sharers[i].shared, MOST_BYTES);
		uint64_t part = shared ? ksr_scale(store, mine, shared) : store / count;

		sharers[i].figures->needs = ksr_less(sharers[i].pss, sharers[i].store_pss) + part;
		sharers[i].figures->store = ksr_less(mine, part);
	}
}

int ksr_top_divide(struct ksr_top_sharer *sharers, size_t count)
{
	struct file *files;
	size_t with_store = 0;
	size_t next;

	for (size_t i = 0; i < count; i++)
		with_store += sharers[i].store != 0;
	files = calloc(with_store + 1, KSMALLOC_MAX_STORE_FILES * sizeof(*files));
	if (!files)
		return -ENOMEM;
	qsort(sharers, count, sizeof(*sharers), compare_sharers);
	for (size_t i = 0; i < count; i = next) {
		for (next = i + 1; next < count && sharers[next].store == sharers[i].store; next++)
			continue;
		if (sharers[i].store) {
			divide_store(sharers + i, next - i, files);
			continue;
		}
		for (size_t k = i; k < next; k++) {
			sharers[k].figures->needs = sharers[k].pss;
			sharers[k].figures->store = 0;
		}
	}
	free(files);
	return 0;
}
