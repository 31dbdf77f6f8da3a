/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * patch: what makes one document of another, as a JSON Patch (RFC 6902).
 *
 * What it is: add, replace and remove, as deep in the documents as can be, so that what did not change is not in it: numbers that this
 * machine would write in another way, and fields that are newer than this program.
 * What it is not: the shortest one: elements of lists are compared by their place.
 * Invariants: applied to the first document it gives the second one.
 * Locking and owner: the result is the caller's.
 * Failure: NULL without memory.
 */
#ifndef KSR_WEBHOOK_PATCH_H
#define KSR_WEBHOOK_PATCH_H

#include <jansson.h>

json_t *ksr_patch_make(const json_t *before, const json_t *after);

#endif
