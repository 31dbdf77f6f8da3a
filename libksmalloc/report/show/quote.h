/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quote: strings of JSON, straight to a stream.
 *
 * What it is: for forms with 100000 stacks, which are written as they are read, and for data inside of a page.
 * What it is not: a writer of values; what brackets and commas there are is the caller's.
 * Invariants: what is written is one string of JSON in ASCII quotes and also harmless between the tags of a page: no '<',
 * '>' and '&' are in it, nor what ends lines in scripts.
 * Locking and owner: none.
 * Failure: the stream remembers errors of writing.
 */
#ifndef KSR_SHOW_QUOTE_H
#define KSR_SHOW_QUOTE_H

#include <stdio.h>

void ksr_quote(FILE *output, const char *text);

#endif
