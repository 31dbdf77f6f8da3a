/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * data: which variable is at an address of a process.
 *
 * What it is: finds, for addresses in the mapped data of files, the variable
 * (ELF symbol) that covers them, its type where there is debug information, and
 * the section where there is no symbol.
 *
 * What it is not: for memory that was allocated. Nothing says what lies there.
 *
 * Trust: as in symbols.h: the files belong to the process that is looked at,
 * and reading them parses somebody else's ELF and DWARF.
 *
 * Locking and owner: one thread. Answers are the caller's.
 *
 * Failure: never; what is not known is empty.
 */
#ifndef KSR_NAMES_DATA_H
#define KSR_NAMES_DATA_H

#include "read/space.h"

#define KSR_VARIABLE_BYTES 160

struct ksr_variable {
	char name[KSR_VARIABLE_BYTES]; /* "lock", or ".bss" where no symbol covers the address */
	uint64_t offset;	       /* of the address in it */
};

struct ksr_data_symbols;

/* The space must outlive it. resolve: false opens no file. NULL without memory. */
struct ksr_data_symbols *ksr_data_symbols_create(const struct ksr_fs *fs,
						 const struct ksr_space *space, bool resolve);
void ksr_data_symbols_destroy(struct ksr_data_symbols *symbols);

/* false when the address is not in the data of a file that can be read. */
bool ksr_data_symbol(struct ksr_data_symbols *symbols, uint64_t address,
		     struct ksr_variable *variable);
/* "struct queue": the type of the variable at the address; empty without debug information. */
void ksr_data_type(struct ksr_data_symbols *symbols, uint64_t address,
		   char type[KSR_VARIABLE_BYTES]);

#endif
