/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dynsym: the dynamic symbols of a loaded object, as the loader looks them up.
 *
 * What it is: a search by name in the object's own hash table (DT_GNU_HASH), in memory.
 * What it is not: dlsym(3), which follows the scope of its caller, may allocate and takes locks; nor
 * symtab, which reads files.
 * Locking: none; the object must stay loaded, as it does in a callback of dl_iterate_phdr(3).
 * Failure: objects without such a table have no symbols here.
 */
#ifndef KSM_DYNSYM_H
#define KSM_DYNSYM_H

#include "base.h"

#include <link.h>

struct ksm_dynsym {
	uintptr_t bias;
	ElfW(Sym) *symbols;
	const char *strings;
	const uint32_t *hash;
	size_t tls_module; /* of its thread-local variables, 0 if it has none */
	const uint8_t *unwind_index; /* PT_GNU_EH_FRAME, NULL if it has none */
};

/* False if the object has no table. */
bool ksm_dynsym_of(const struct dl_phdr_info *info, struct ksm_dynsym *table);

/*
 * The next entry after previous (NULL: the first) that defines the name, or NULL. There may be
 * several, one a version.
 */
ElfW(Sym) *ksm_dynsym_next(const struct ksm_dynsym *table, const char *name, ElfW(Sym) *previous);

/* True for the file of libc, or of a part of it in glibc before 2.34. */
bool ksm_dynsym_is_libc(const char *path);

/* False for what is no function, and for indirect ones, whose address is called for the real one. */
KSM_INLINE bool ksm_dynsym_is_function(const ElfW(Sym) *symbol)
{
	return (symbol->st_info & 15) == STT_FUNC;
}

#endif
