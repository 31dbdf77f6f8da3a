/* SPDX-License-Identifier: BSD-2-Clause */
#include "judge/shift.h"

#include <errno.h>

#include "judge/siblings.h"
#include "judge/worker.h"
#include "pages/scan.h"
#include "read/sample.h"

static void sum(const struct ksr_diff *diff, struct ksr_shift *shift)
{
	for (size_t i = 0; i < diff->row_count; i++) {
		const struct ksr_diff_counts *counts = &diff->rows[i].counts;

		shift->pages += counts->both;
		shift->equal += counts->equal + counts->elsewhere_pairs;
		shift->shifted += counts->pointers + counts->shifted + counts->moved;
	}
}

static int compare(const struct ksr_fs *fs, const struct ksr_workers *members,
		   struct ksr_shift *shift)
{
	struct ksr_diff diff;
	int error = ksr_diff_create(&members->list[0].space, &members->list[1].space, &diff);

	if (error)
		return error;
	for (int i = 0; i < 2; i++)
		shift->pids[i] = members->list[i].pid;
	diff.every = ksr_sample_every(fs, members->list[0].pid);
	shift->is_sampled = diff.every > 1;
	error = ksr_diff_scan_places(fs, &diff);
	if (!error)
		sum(&diff, shift);
	ksr_diff_destroy(&diff);
	return error;
}

int ksr_shift_measure(const struct ksr_fs *fs, const pid_t *pids, size_t count,
		      struct ksr_shift *shift)
{
	/* What there is to say of the members doctor says. */
	struct ksr_findings ignored = {0};
	struct ksr_workers members;
	int error = -ESRCH;

	*shift = (struct ksr_shift){0};
	ksr_workers_read(fs, pids, count, &members, &ignored);
	if (ksr_keep_siblings(&members, &ignored))
		error = compare(fs, &members, shift);
	ksr_workers_free(&members);
	ksr_findings_free(&ignored);
	return error;
}
