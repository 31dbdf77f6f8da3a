/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pass_files: what a pass finds of each file of the store, and which files the process lets go of.
 *
 * What it is: for each file how many pages are mapped, how many of them by huge pages, and since when there are none.
 * What it is not: a look at memory; pass.c counts what it finds.
 *
 * Locking: none; the process has one thread, and no signal handler runs. Failure: none.
 */
#ifndef KSM_PASS_FILES_H
#define KSM_PASS_FILES_H

#include "base.h"
#include "store.h"

struct ksm_pass_files {
	uint32_t mapped[KSM_STORE_FILES]; /* pages of each file that this pass has found mapped */
	uint32_t huge[KSM_STORE_FILES];	  /* of them, by huge pages */
	uint8_t idle[KSM_STORE_FILES];	  /* passes that have found none */
};

/* A pass begins. */
void ksm_pass_files_begin(struct ksm_pass_files *files);

/* It has seen all slices. Lets go of files that this process has no page of: they are waste if that is so for all. */
void ksm_pass_files_end(struct ksm_pass_files *files, struct ksm_store *store);

#endif
