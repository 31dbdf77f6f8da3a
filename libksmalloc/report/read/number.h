/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * number: numbers in texts of the kernel.
 *
 * What it is: a number behind a label or behind blanks, and what stands for a value that a kernel does not offer.
 * What it is not: a judge of units.
 * Locking and owner: pure.
 * Failure: there is no number.
 */
#ifndef KSR_READ_NUMBER_H
#define KSR_READ_NUMBER_H

#include "read/fs.h"

/* A value that a kernel does not offer, to be told apart from zero. */
#define KSR_NONE UINT64_MAX

/* A number after blanks; false when there is none or it does not fit. */
bool ksr_number_after(const char *text, const char *end, uint64_t *value);
/* The value of a line "label number" or "label: number"; KSR_NONE without such a line. */
uint64_t ksr_number_labelled(const struct ksr_text *text, const char *label);
/* The word in brackets of a file such as "always [madvise] never"; empty when there is none. */
void ksr_chosen_word(const char *text, char *word, size_t bytes);

#endif
