/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json: a field as JSON has it.
 *
 * What it is: values, of which the emitter makes rows and sections.
 * What it is not: a document, nor the place where it is written.
 * Invariants: strings are clean (names/human.h), numbers are in bytes and not shortened.
 * Locking and owner: what is returned is the caller's.
 * Failure: NULL without memory, which jansson passes on.
 */
#ifndef KSR_SHOW_JSON_H
#define KSR_SHOW_JSON_H

#include <jansson.h>

#include "show/cell.h"

/* Text of others, made safe to show. */
json_t *ksr_json_string(const char *text);
/* The items of a list cell as an array. */
json_t *ksr_json_list(const struct ksr_cell *cell);
/* The value as JSON has it. */
json_t *ksr_json_cell(const struct ksr_cell *cell);

#endif
