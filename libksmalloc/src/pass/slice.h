/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slice: what a pass does with one slice.
 *
 * What it is: the slice is shared with each file of the store; what none has is marked, and added to what is published next
 * if another member has marked it, too.
 * What it is not: a choice of slices, or of the time; nor does it publish (pass.c).
 *
 * Locking: none; nobody else runs in the process. Failure: -errno; memory is as it was, or shared with fewer files.
 */
#ifndef KSM_PASS_SLICE_H
#define KSM_PASS_SLICE_H

#include "base.h"
#include "pass/files.h"
#include "store/share.h"
#include "store/shared.h"
#include "store/store.h"

#define KSM_PASS_BATCH 256u /* slices with pages that are published at once */

/* What is needed for a pass, and what it has found so far. */
struct ksm_pass_round {
	bool is_return;	 /* to slices of which pages were published */
	uintptr_t batch[KSM_PASS_BATCH]; /* slices with pages that are to be published, or were */
	uint32_t batch_count;
	long gained;
	uint64_t shared; /* pages that this pass has found mapped from the store, and not copied */
	uint32_t moved; /* slices of files that were given up, in which pages were left or carried over */
	bool carries_over; /* pages of the batch */
	bool takes_back;   /* what was to be carried over is not worth a file */
	struct ksm_pass_files files;
	struct ksm_share_work work;
	struct ksm_store store;
};

/* What the maps say of a slice. */
struct ksm_pass_view {
	uintptr_t address;
	uint64_t place; /* in files of the store */
	struct ksm_share_set anonymous; /* or of a data segment */
	struct ksm_share_set of_file;	/* of a data segment, and mapped from its file */
	struct ksm_share_set read_only;
	struct ksm_share_set begins;	/* pages that a mapping begins with, */
	struct ksm_share_set ends;	/* and that one ends with */
	struct ksm_share_set mapped[KSM_SHARED_LAYERS];
	/* What was found meanwhile: of mapped pages. */
	struct ksm_share_set copied;  /* were written to since */
	struct ksm_share_set going;   /* are of a file that was given up, and are published in another one with these: */
	struct ksm_share_set carried; /* show that file */
};

int ksm_pass_slice_share(struct ksm_pass_round *pass, struct ksm_pass_view *view);

#endif
