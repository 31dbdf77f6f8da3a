/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * folders: the folders that processes look into at their start.
 *
 * What it is: an interpreter that imports keeps a list of each folder on its path. Where an
 * entry came or went between the starts of two workers, the lists differ, and with them all that
 * was allocated afterwards. The working folder, that of the script and those of PYTHONPATH are
 * looked at: whether they changed between the starts, and which names they have, so that a text in
 * memory can be told to be one.
 *
 * What it is not: a list of a program's path, which may be changed by the program itself; and no
 * names: only hashes of them are kept.
 *
 * Invariants: that a folder changed is said of python only, of a folder that both processes look
 * into, when it did so after one had started and before the other had. A forked worker has started
 * when the process that it was forked from did.
 *
 * Locking and owner: one thread.
 *
 * Failure: what cannot be read is left out.
 */
#ifndef KSR_PAGES_FOLDERS_H
#define KSR_PAGES_FOLDERS_H

#include <limits.h>

#include "read/space.h"

struct ksr_folder_names {
	uint64_t *hashes; /* of the names, as atoms (atoms.h); sorted */
	size_t count;
};

void ksr_folder_names_read(const struct ksr_fs *fs, const struct ksr_space *const *spaces,
			   size_t count, struct ksr_folder_names *names);
bool ksr_folder_names_have(const struct ksr_folder_names *names, uint64_t hash);
void ksr_folder_names_free(struct ksr_folder_names *names);

struct ksr_folder_change {
	char path[PATH_MAX];
	bool is_working;
	pid_t before; /* had started when the folder changed */
	pid_t after;  /* had not */
};

/* Is one of the processes python, so that the next question means something? */
bool ksr_folders_matter(const struct ksr_space *const *spaces, size_t count);
/* Fills the change where there was one. */
bool ksr_folder_changed(const struct ksr_fs *fs, const struct ksr_space *const *spaces,
			size_t count, struct ksr_folder_change *change);
/* What has happened, as a sentence without its full stop; and what to do about it. */
void ksr_folder_change_text(const struct ksr_folder_change *change, char *text, size_t bytes);
extern const char ksr_folder_advice[];

#endif
