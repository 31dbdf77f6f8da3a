/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unit_files: the files of a unit, without asking systemd.
 *
 * What it is: the file of a service and its drop-ins, in the order in which they count, as systemd.unit(5) has it: for a
 * generator, which systemd runs while it answers nobody.
 * What it is not: complete: what other generators write at the same time is not looked at.
 * Locking and owner: one thread; the text is the caller's, to be freed with ksr_text_free().
 * Failure: -errno; -ENOENT where no file is the unit's.
 */
#ifndef KSR_ENABLE_UNIT_FILES_H
#define KSR_ENABLE_UNIT_FILES_H

#include "read/fs.h"

/* Each file behind a line "# PATH", as `systemctl cat` has it. On failure the text has what could be read, or is empty. */
int ksr_unit_files(const char *unit, struct ksr_text *text);
/*
 * All services that a file or a folder of drop-ins is there for, by their names. Of a template, "web@.service", what it has
 * is for all instances; an instance has a turn of its own, later, if it has files of its own. Aliases have none.
 */
int ksr_unit_files_each(void (*visit)(const char *unit, void *user), void *user);

#endif
