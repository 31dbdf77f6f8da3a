/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symtab: the functions of an ELF file.
 *
 * What it is: a walk over .symtab, or .dynsym where a file is stripped.
 * What it is not: a reader of debug information, and nothing that is called
 * while blocks are allocated, except when a filter by function is set.
 * Locking: none, no state. Failure: -errno; a malformed file yields -ENOEXEC.
 */
#ifndef KSM_SYMTAB_H
#define KSM_SYMTAB_H

#include "base.h"

/* Called for each function with its link-time address range [low, high). */
typedef void ksm_symtab_visitor(const char *name, uint64_t low, uint64_t high, void *argument);

int ksm_symtab_each_function(const char *path, ksm_symtab_visitor *visit, void *argument);

#endif
