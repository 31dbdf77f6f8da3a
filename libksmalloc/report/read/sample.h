/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample: how much of a process is enough to look at.
 *
 * What it is: one number, by how much memory the process has.
 * What it is not: a choice of pages.
 * Locking and owner: pure but for one file that is read.
 * Failure: all of it is to be looked at.
 */
#ifndef KSR_READ_SAMPLE_H
#define KSR_READ_SAMPLE_H

#include "read/fs.h"

/* One stretch of how many is enough of the process's memory for a sample? */
uint64_t ksr_sample_every(const struct ksr_fs *fs, pid_t pid);

#endif
