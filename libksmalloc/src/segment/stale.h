/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stale: segment files whose process has gone.
 *
 * What it is: the removal of files that their makers could not remove, because
 * they were killed or ended by _exit(2), as the children of Python's
 * multiprocessing do. Each process that makes a file removes those that it
 * finds beside it, so that they never pile up.
 * What it is not: a judge of files from elsewhere. A file of another boot, of
 * another machine that shares the folder, or of another pid namespace stays:
 * `ksmalloc doctor` knows more, and has the time to look.
 *
 * Invariants: only files that say to be made in this boot and this pid namespace
 * by a pid that nobody has now are removed. Should a process get that pid and
 * make its file between the look and the removal, readers find its segment
 * without the name, as they do after a process's end.
 * Cost: a kill(2) for each living process of the user that has a file.
 * Locking: none; any number of processes may do it at once.
 * Failure: what cannot be read or removed stays.
 */
#ifndef KSM_STALE_H
#define KSM_STALE_H

#include "base.h"

#include <ksmalloc/segment.h>

/* folder: a descriptor, which stays open. own: the header of this process's segment. */
void ksm_stale_remove(int folder, const struct ksmalloc_segment_header *own);

#endif
