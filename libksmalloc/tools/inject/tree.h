/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tree: what is asked of every definition's tree.
 *
 * What it is: three functions that jansson has not.
 * What it is not: a thing that knows what is in a definition.
 * Locking and owner: no state.
 * Failure: what is not there, or of another type, is nothing.
 */
#ifndef KSR_INJECT_TREE_H
#define KSR_INJECT_TREE_H

#include <jansson.h>

/* The member's text; empty where there is none. */
const char *ksr_tree_text(const json_t *object, const char *key);
/* The member, or, where there is none, what a merge (<<) of one mapping or of several brings; NULL: neither. */
json_t *ksr_tree_merged(const json_t *object, const char *key);
/* Takes the member out if it is an empty list or mapping, now that something was taken out of it. */
void ksr_tree_drop_empty(json_t *object, const char *key);

#endif
