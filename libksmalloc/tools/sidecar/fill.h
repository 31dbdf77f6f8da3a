/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fill: what an application's container needs of ksmalloc, copied into the volume that it shares with the init container.
 *
 * What it is: the files that lie beside the command, each whole or not at all under its name; programs that run meanwhile keep
 * the file that they have.
 * What it is not: a copier of trees.
 * Invariants: nothing but these names is written to or removed in the folder; links in it are replaced, never followed.
 * Locking and owner: one process at a time in a folder; a second one at the same moment makes the same files.
 * Failure: -errno and a sentence; what was copied by this call is removed then.
 */
#ifndef KSR_SIDECAR_FILL_H
#define KSR_SIDECAR_FILL_H

#include "base.h"

#define KSR_FILL_WHY 512
/* Copied last: where it is all the others are. It is what containers preload (KSR_INJECT_START). */
#define KSR_FILL_LAST "libksmalloc-start.so"

/* only: nothing but this file, wherever it is; NULL: the library. */
int ksr_fill(const char *folder, const char *only, char why[KSR_FILL_WHY]);

#endif
