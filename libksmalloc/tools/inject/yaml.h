/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * yaml: a text of YAML as trees that know where in the text each part of them is.
 *
 * What it is: libyaml's documents, as jansson's values and as nodes with places.
 * What it is not: a writer (edit).
 * Invariants: a node's begin and end are bytes of the text, without blanks, comments and line ends behind it. Of plain scalars those of null,
 * true, false and whole numbers are such; all others are texts, which is enough for what is never written anew.
 * Locking and owner: who loads frees; the text must outlive what was loaded.
 * Failure: -EINVAL and a sentence, with the line: no YAML, keys that are no texts or there twice, or more nodes than anybody's definition has.
 */
#ifndef KSR_INJECT_YAML_H
#define KSR_INJECT_YAML_H

#include <jansson.h>

#include "inject/wish.h"

struct ksr_yaml_node;

struct ksr_yaml_entry {
	const char *key; /* NULL in a list */
	size_t at;	 /* of the key, or of the dash */
	struct ksr_yaml_node *value;
};

struct ksr_yaml_node {
	json_t *json; /* borrowed from the document's root */
	size_t begin;
	size_t end;
	bool flow;   /* with brackets */
	char quote;  /* of a scalar; 0: plain, '|': a block */
	bool shared; /* has an anchor that something refers to, or is in such a node */
	bool tagged; /* by a word that YAML does not know, such as Compose's !reset */
	size_t line; /* from 1 on */
	struct ksr_yaml_entry *entries;
	size_t count;
};

struct ksr_yaml_document {
	struct ksr_yaml_node *root; /* NULL: it has nothing in it */
	json_t *json;
};

struct ksr_yaml {
	const char *text;
	size_t size;
	struct ksr_yaml_document *documents;
	size_t count;
};

/* To be freed in both cases. */
int ksr_yaml_load(struct ksr_yaml *yaml, const char *text, size_t size, char why[KSR_INJECT_WHY]);
void ksr_yaml_free(struct ksr_yaml *yaml);

/*
 * A value in block form, each line with a line end before it and so many blanks; of a list with the dashes there, of a mapping its
 * keys. NULL without memory; the caller frees it.
 */
char *ksr_yaml_block(const json_t *value, size_t blanks, const char *line_end);
/* A text as a plain scalar if it is one that means itself, else in double quotes; the same for any value on one line. */
char *ksr_yaml_flow(const json_t *value);
bool ksr_yaml_is_plain(const char *text);

#endif
