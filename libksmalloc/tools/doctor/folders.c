/* SPDX-License-Identifier: BSD-2-Clause */
/* A folder that changed between the starts of workers that keep a list of it. */
#define _GNU_SOURCE
#include "doctor/folders.h"

#include <stdlib.h>

#include "pages/folders.h"

void ksr_check_folders(const struct ksr_fs *fs, const struct ksr_workers *members,
		       struct ksr_findings *findings)
{
	const struct ksr_space **spaces = calloc(members->count + 1, sizeof(*spaces));
	struct ksr_folder_change change;
	char text[PATH_MAX + 256];

	/* The folders of a recorded tree are those of another machine. */
	for (size_t i = 0; spaces && i < members->count; i++)
		spaces[i] = &members->list[i].space;
	if (spaces && fs->live && ksr_folders_matter(spaces, members->count)) {
		if (ksr_folder_changed(fs, spaces, members->count, &change)) {
			ksr_folder_change_text(&change, text, sizeof(text));
			ksr_find(findings, KSR_LEVEL_WARN, "folder", ksr_folder_advice, "%s", text);
		} else {
			ksr_find(findings, KSR_LEVEL_OK, "folder", "",
				 "no folder that python is known to list changed between the "
				 "starts");
		}
	}
	free(spaces);
}
