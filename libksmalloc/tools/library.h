/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library: where is the libksmalloc that belongs to this command?
 *
 * What it is: a search from the command's own place, so that both can be installed anywhere and moved together.
 * What it is not: a choice of the user's (run --library).
 * Locking and owner: one thread; the path is the caller's to free.
 * Failure: NULL, where there is none or no memory.
 */
#ifndef KSR_LIBRARY_H
#define KSR_LIBRARY_H

/* An absolute path that stays right when another release of the same interface is installed. */
char *ksr_library_find(void);

#endif
