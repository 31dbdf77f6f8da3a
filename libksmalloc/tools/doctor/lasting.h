/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lasting: what --fix has set holds after a reboot, and can be undone.
 *
 * What it is: a file of systemd-tmpfiles that sets KSM's settings at each start of the machine, with what they were before.
 * What it is not: the choice of values; those that there are now are kept.
 * Invariants: only a file that begins with the line of ours is replaced or removed; its former values are those from
 * before the first time.
 * Locking and owner: one thread.
 * Failure: a finding each, as of all that --fix does.
 */
#ifndef KSR_DOCTOR_LASTING_H
#define KSR_DOCTOR_LASTING_H

#include "judge/finding.h"
#include "read/kernel.h"

/* before: what the settings were before --fix. */
void ksr_lasting_keep(const struct ksr_fs *fs, const struct ksr_kernel *before, struct ksr_findings *findings);
/* Puts the former values back, unless owner (NULL: nobody) sets them now, and removes the file. */
void ksr_lasting_undo(const struct ksr_fs *fs, const char *owner, struct ksr_findings *findings);

#endif
