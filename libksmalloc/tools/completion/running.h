/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * running: groups and processes that there are now.
 *
 * What it is: reads the headers of segments, nothing else, so that a shell can ask at each key.
 * What it is not: a report: processes that cannot be read are left out without a word.
 * Locking and owner: one thread; the lines are the caller's, to be freed with the array.
 * Failure: -errno; nothing is returned then.
 */
#ifndef KSR_COMPLETION_RUNNING_H
#define KSR_COMPLETION_RUNNING_H

#include "read/fs.h"

/* Names of groups, sorted, each once; or "PID<tab>command" of each process. */
int ksr_running_list(const struct ksr_fs *fs, bool groups, char ***lines, size_t *count);

#endif
