/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * functions: which function is at an address, by debug information.
 *
 * What it is: for a file, its compilation units by address, and the functions of those that were asked for. A unit is read
 * when the first address of it is asked for, and then once: libdw walks over half of a unit for each address.
 * What it is not: names of functions (elf.h), or symbols (table.h).
 * Invariants: addresses are those of the module. Where .debug_aranges lacks an address, as with programs of clang and of
 * rustc, the units say themselves which addresses they have.
 * Locking and owner: one thread; the caller's. The module must outlive it.
 * Failure: what cannot be read is not found.
 */
#ifndef KSR_NAMES_FUNCTIONS_H
#define KSR_NAMES_FUNCTIONS_H

#include <elfutils/libdw.h>

#include "base.h"

/* Functions that were inlined into each other; more are as if they were not inlined. */
#define KSR_FUNCTIONS_MOST 64

struct Dwfl_Module;
struct ksr_functions;

/* What is at an address: the innermost inlined function first, the one that was not inlined last. */
struct ksr_functions_found {
	Dwarf_Die unit;
	Dwarf_Addr pc; /* the address as the debug information has it */
	Dwarf_Die scopes[KSR_FUNCTIONS_MOST];
	size_t count;
};

/* NULL without memory. */
struct ksr_functions *ksr_functions_create(struct Dwfl_Module *module);
void ksr_functions_destroy(struct ksr_functions *functions);
/* false: no unit has it. found->count is 0 where a unit has it, but none of its functions. */
bool ksr_functions_find(struct ksr_functions *functions, uint64_t address, struct ksr_functions_found *found);
/* How many units were read: what libdw keeps of them is freed with the module only. */
size_t ksr_functions_units(const struct ksr_functions *functions);

#endif
