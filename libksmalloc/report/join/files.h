/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files: what processes have written of the data of programs and libraries, file by file.
 *
 * What it is: sums of one process by file, sums over processes, and the few files that are worth a row.
 * What it is not: for what a file itself has in memory, which is nobody's own.
 * Invariants: the files of a report add up to what is left of the part `files` without origins, but for rounding.
 * Locking and owner: the sums of a process are the caller's; those of a report the report's.
 * Failure: -ENOMEM.
 */
#ifndef KSR_JOIN_FILES_H
#define KSR_JOIN_FILES_H

#include "join/report.h"

#define KSR_FILE_NAME_BYTES sizeof(((struct ksr_vma *)0)->name)

struct ksr_file {
	char name[KSR_FILE_NAME_BYTES]; /* last component; empty: all files that are not worth a row */
	struct ksr_memory memory;
	uint32_t processes;
	uint32_t files; /* how many were joined */
};

struct ksr_files {
	struct ksr_file *list; /* by name, until a report is finished */
	size_t count;
	size_t room;
};

int ksr_files_add(struct ksr_files *files, const char *name, const struct ksr_memory *memory);
void ksr_files_free(struct ksr_files *files);

/* Adds those of a process to those of a report. What was told of all of them is rescaled to what it is. */
int ksr_files_join(struct ksr_report *report, const struct ksr_files *files, const struct ksr_memory *was,
		   const struct ksr_memory *is);
/* What holds most comes first, and what is not worth a row becomes one, the last. */
void ksr_files_finish(struct ksr_report *report);
/* "(data of NAME)", cut to bytes. */
void ksr_file_words(const struct ksr_file *file, char *text, size_t bytes);

#endif
