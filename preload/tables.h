/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tables: memory for what a helper library notes of its objects.
 *
 * What it is: pieces of zeros, cut one behind the other from mappings of the helper's own, which
 * need not lie at equal addresses. They are never given back.
 * Locking: none; whoever owns the tables calls.
 * Failure: NULL without memory.
 */
#ifndef KSMALLOC_TABLES_H
#define KSMALLOC_TABLES_H

#include <stddef.h>

struct ksh_tables {
	void *(*map)(size_t bytes); /* maps zeros, NULL if there are none */
	char *next, *end;
};

/* bytes of zeros, aligned to 16. */
void *ksh_table(struct ksh_tables *tables, size_t bytes) __attribute__((visibility("hidden")));

#endif
