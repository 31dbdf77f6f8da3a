/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * places: where debug information is searched on this machine, and whether that has changed.
 *
 * What it is: one number for the places of a file.
 * What it is not: a search: what is there is not opened.
 * Locking and owner: pure but for looks at the file system.
 * Failure: none; a place that cannot be looked at counts as not there.
 */
#ifndef KSR_NAMES_PLACES_H
#define KSR_NAMES_PLACES_H

#include "base.h"

/*
 * A number that changes when the file, or a place in which debug information
 * for it is searched on this machine, does. Anything that changes in between changes it, too.
 */
uint64_t ksr_debug_places(const char *path, const char *build_id);

#endif
