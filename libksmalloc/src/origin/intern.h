/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * intern: names and frames of origins in the segment's tables, once each.
 *
 * What it is: from a text to its offset, in UTF-8 and no longer than a limit. Bytes stay as the program has them but for
 * that: who shows them cleans them. And from a frame to its index.
 * What it is not: for paths of modules, which have half of the strings for themselves.
 *
 * Locking: the caller's. Failure: 0, which is the empty string and no frame, where there is no room.
 */
#ifndef KSM_INTERN_H
#define KSM_INTERN_H

#include "base.h"
#include "site/script.h"

/* 0 or -ENOMEM. */
int ksm_intern_init(void);

/* Writes a text as UTF-8, at most room bytes and whole characters. Returns their number. */
size_t ksm_intern_utf8(const struct ksm_text *text, char *to, size_t room);

/* The offset of length bytes of UTF-8. */
uint32_t ksm_intern(const char *text, size_t length);

/* The index of a frame, as sites have them; and of an interpreter's. */
uint16_t ksm_intern_frame(uint64_t frame);
uint16_t ksm_intern_script_frame(const struct ksmalloc_segment_script_frame *frame);

#endif
