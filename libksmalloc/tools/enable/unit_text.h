/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unit_text: settings of a unit's files, one after the other.
 *
 * What it is: a reader of lines as systemd.syntax(7) has them: those that are continued, comments, sections.
 * What it is not: a reader of the files themselves (unit_files.h, service.h), or one who knows what a setting means.
 * Locking and owner: one thread; name and value are the reader's, until the next call.
 * Failure: -E2BIG for a setting that has no room.
 */
#ifndef KSR_ENABLE_UNIT_TEXT_H
#define KSR_ENABLE_UNIT_TEXT_H

#include "read/fs.h"

/* Names of our files, both behind what "systemctl edit" writes, override.conf: of a setting the last file counts. */
#define KSR_ENABLE_NAME	    "zz-ksmalloc.conf"
#define KSR_ENABLE_RUN_NAME "zz-ksmalloc-run.conf"

/* All zero at first. */
struct ksr_unit_text {
	size_t position;
	char line[16384];
	char section[64];  /* without its brackets */
	bool in_ours;	   /* the file is one of ours */
	const char *name;
	const char *value; /* "" for a setting to nothing */
};

/* files: each behind a line "# PATH". 1 for a setting, 0 at the end. */
int ksr_unit_text_next(struct ksr_unit_text *reader, const struct ksr_text *files);

#endif
