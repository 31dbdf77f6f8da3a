/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * aside: does a process share by a store, and if not, why?
 *
 * What it is: what its segment says of it, and the words for that.
 * What it is not: proof that the process shares much.
 * Locking and owner: pure; the strings are constants.
 * Failure: none.
 */
#ifndef KSR_JOIN_ASIDE_H
#define KSR_JOIN_ASIDE_H

#include "base.h"
#include "ksmalloc/segment.h"

/* Is the process to share by a store, and does it stand aside? */
bool ksr_store_is_asked(const struct ksmalloc_segment_header *header);
bool ksr_store_is_aside(const struct ksmalloc_segment_header *header);
/* Of any number, which may come from a later version: one that is not known is `failed`. */
const char *ksr_aside_key(uint32_t reason);
const char *ksr_aside_words(uint32_t reason);
const char *ksr_aside_remedy(uint32_t reason);

#endif
