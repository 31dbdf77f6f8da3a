/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * csv: fields and tables as comma-separated values.
 *
 * What it is: a head line of keys, and a line for each row.
 * What it is not: a choice of the table that is written.
 * Invariants: sizes are bytes; a list is one field; what has a comma, a quote or a new line in it is quoted.
 * Locking and owner: what is returned is the caller's; rows stay the caller's.
 * Failure: NULL without memory; the stream remembers errors of writing.
 */
#ifndef KSR_SHOW_CSV_H
#define KSR_SHOW_CSV_H

#include <jansson.h>
#include <stdio.h>

#include "show/cell.h"

/* The value as a string. */
json_t *ksr_csv_cell(const struct ksr_cell *cell);
/* Rows are arrays of strings. */
void ksr_csv_print(FILE *output, const struct ksr_column *columns, size_t count, json_t *rows);

#endif
