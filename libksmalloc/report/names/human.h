/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * human: sizes, times, and text of others, as people may read them.
 *
 * What it is: sizes and times in units, and text without what would change a terminal.
 * What it is not: a choice of when. JSON and CSV have sizes in bytes.
 * Invariants: what was cleaned is valid UTF-8 without control characters and directional overrides.
 * Locking and owner: pure; the text belongs to the caller.
 * Failure: none.
 */
#ifndef KSR_NAMES_HUMAN_H
#define KSR_NAMES_HUMAN_H

#include "base.h"

/* "1.5 GiB": at most 9 characters and a NUL. */
#define KSR_HUMAN_BYTES 16
void ksr_human_bytes(uint64_t bytes, char text[KSR_HUMAN_BYTES]);
/* "40 s", "3 min", "2 h". */
#define KSR_TIME_BYTES 16
void ksr_human_seconds(uint64_t seconds, char text[KSR_TIME_BYTES]);
/* Makes text safe to show: in place, the length does not change. */
void ksr_clean_text(char *text);

#endif
