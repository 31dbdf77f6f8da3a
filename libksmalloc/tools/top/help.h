/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * help: what keys do and columns mean, from their tables.
 *
 * What it is: lines for the screen, and the same for the manual.
 * What it is not: the options of the command.
 * Locking and owner: pure.
 * Failure: none.
 */
#ifndef KSR_TOP_HELP_H
#define KSR_TOP_HELP_H

#include <stdio.h>

#include "top/line.h"

/*
 * Line number of a screen of that height; *first, the line of help at its top, is put right where it is too large. The line
 * was begun.
 */
void ksr_top_help_line(size_t *first, size_t number, size_t height, struct ksr_top_line *line);
/* Keys and columns as parts of a manual page. */
void ksr_top_help_manual(FILE *output);

#endif
