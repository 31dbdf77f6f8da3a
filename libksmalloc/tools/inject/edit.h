/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * edit: a text of YAML with other values in it, and all else as it was: comments, order, quotes, blanks.
 *
 * What it is: lines that are put in at the end of a mapping or list, lines that are taken out, and scalars that are written anew.
 * What it is not: a formatter. What cannot be done in that way is refused: values in the middle of a list, and what several places
 * have in common by an anchor.
 * Invariants: the result, loaded again, has exactly the wanted values; taking out what was put in gives the same bytes again.
 * Locking and owner: no state; the caller frees the text.
 * Failure: NULL and a sentence.
 */
#ifndef KSR_INJECT_EDIT_H
#define KSR_INJECT_EDIT_H

#include "inject/yaml.h"

/* wanted: a value for each document of yaml. */
char *ksr_edit(const struct ksr_yaml *yaml, json_t *const *wanted, char why[KSR_INJECT_WHY]);

#endif
