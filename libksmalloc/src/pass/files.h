/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files: what a pass finds of each file of the store, and what becomes of files of which little is seen.
 *
 * What it is: for each file how many pages are mapped and seen, which the table is told (store/sight.h), how many are mapped by
 * huge pages, and since when there are none. What a slice maps of a file that was given up has one of three fates: it stays,
 * until somebody may publish it; it is left, where a file has it that stays or nobody else does; or it is carried over into the file
 * that this process publishes next.
 * What it is not: a look at memory; pass.c counts what it finds, and does what is decided here.
 *
 * Locking: none; the process has one thread, and no signal handler runs. Failure: a file stays where it is not known what
 * becomes of it.
 */
#ifndef KSM_PASS_FILES_H
#define KSM_PASS_FILES_H

#include "base.h"
#include "store/share.h"
#include "store/store.h"

struct ksm_pass_files {
	uint64_t inodes[KSM_STORE_FILES]; /* of the files that the rest is about */
	uint32_t mapped[KSM_STORE_FILES]; /* pages of each file that this pass has found mapped */
	uint32_t seen[KSM_STORE_FILES];	  /* of them those that were not copied */
	uint32_t huge[KSM_STORE_FILES];	  /* of them those that are mapped by huge pages */
	uint32_t alike[KSM_STORE_FILES];  /* pages that were copied, and that another member has alike */
	uint64_t going;			  /* files that were given up when this pass began: a bit for each */
	uint64_t late;			  /* files that came during this pass, which has looked at a part of the slices for them */
	uint8_t idle[KSM_STORE_FILES];	  /* passes that have found none mapped */
};

/* A pass begins; true if files are to be left that were not before. While the store is entered, as with all that follows. */
bool ksm_pass_files_begin(struct ksm_pass_files *files, const struct ksm_store *store);

/*
 * The pass looks, from now on, at all slices for all files that are open now; or for the one that it has published itself. What comes
 * otherwise comes too late: nothing is said of it at the end.
 */
void ksm_pass_files_follow(struct ksm_pass_files *files, const struct ksm_store *store);
void ksm_pass_files_follow_one(struct ksm_pass_files *files, const struct ksm_store *store, uint32_t index);

/* So many pages of the file were found in a slice. */
void ksm_pass_files_count(struct ksm_pass_files *files, const struct ksm_store *store, uint32_t index, uint32_t mapped,
			  uint32_t seen);

/*
 * So many pages that map the file of this inode were copied, and another member has them alike: they would be in the next file, if this
 * one were given up.
 */
void ksm_pass_files_count_alike(struct ksm_pass_files *files, uint64_t inode, uint32_t pages);

/* True if the file was given up: nothing more of it is to be mapped. */
bool ksm_pass_files_is_going(const struct ksm_pass_files *files, const struct ksm_store *store, uint32_t index);

enum ksm_pass_fate {
	KSM_PASS_STAYS,
	KSM_PASS_IS_LEFT,
	KSM_PASS_IS_CARRIED_OVER,
};

struct ksm_pass_layer {
	uintptr_t address; /* of the slice */
	uint64_t place;	   /* of the slice in files */
	uint64_t inode;	   /* of the file */
	struct ksm_share_set mapped;
	/* Results; nothing but the fate of what stays. */
	enum ksm_pass_fate fate;
	uint32_t index; /* of the file, KSM_STORE_FILES if it is not open any more */
	uint32_t seen;	/* pages */
	struct ksm_share_set wanted; /* those that no file has that stays */
};

/* Decides what becomes of the pages that a slice maps of a file. 0 or -errno. */
int ksm_pass_files_decide(const struct ksm_pass_files *files, struct ksm_store *store, struct ksm_share_work *work,
			  struct ksm_pass_layer *layer);

/* True if there is memory to leave what the slice maps of a file, as it was decided. What was copied is the process's already. */
bool ksm_pass_files_take_room(struct ksm_store *store, const struct ksm_pass_layer *layer);

/* They were left after they were counted. */
void ksm_pass_files_count_left(struct ksm_pass_files *files, const struct ksm_pass_layer *layer);

/*
 * The pass has seen all slices. Lets go of files that this process has no page of: they are waste if that is so for all. True
 * if a file was given up: another pass is of use soon, as where some have come late.
 */
bool ksm_pass_files_end(struct ksm_pass_files *files, struct ksm_store *store, bool is_resting);

#endif
