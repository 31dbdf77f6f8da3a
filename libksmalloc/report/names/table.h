/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table: the symbols of a file, sorted.
 *
 * What it is: what .symtab, else .dynsym, and minidebuginfo say, once for a file. libdwfl answers for an address by walking
 * over all of them, which takes a second for a hundred addresses of a large program.
 * What it is not: debug information (functions.h).
 * Invariants: a symbol without a size reaches to the next one, or to the end of its section.
 * Locking and owner: one thread; the table belongs to the caller, and its texts to the module, which must outlive it.
 * Failure: without memory, or symbols, the table is empty.
 */
#ifndef KSR_NAMES_TABLE_H
#define KSR_NAMES_TABLE_H

#include "base.h"

struct Dwfl_Module;

/* Which kinds there shall be. */
#define KSR_TABLE_CODE 1u
#define KSR_TABLE_DATA 2u

struct ksr_table_symbol {
	uint64_t address; /* as the module has it */
	uint64_t bytes;
	const char *name;
};

struct ksr_table {
	struct ksr_table_symbol *symbols; /* by address; of several at one, the one that is best comes last */
	size_t count;
};

void ksr_table_create(struct Dwfl_Module *module, unsigned int kinds, struct ksr_table *table);
void ksr_table_destroy(struct ksr_table *table);
/* The symbol that an address lies in; NULL if there is none. */
const struct ksr_table_symbol *ksr_table_find(const struct ksr_table *table, uint64_t address);

#endif
