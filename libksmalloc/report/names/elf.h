/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf: one ELF file and its DWARF, asked for addresses.
 *
 * What it is: the only user of elfutils in reports. Addresses are link-time.
 * What it is not: it knows neither processes nor caches.
 * Invariants: an answer is pairs "function TAB place", innermost function
 * first, separated by tabs; an empty function means that nothing was found.
 * Locking and owner: one thread; the descriptor given to create becomes its own.
 * Failure: NULL when the file is no ELF file; answers are never NULL but for memory.
 */
#ifndef KSR_NAMES_ELF_H
#define KSR_NAMES_ELF_H

#include "base.h"

struct ksr_elf;

/* sysroot: where debug files of another machine are, in usr/lib/debug; NULL for this one's. */
struct ksr_elf *ksr_elf_create(int fd, const char *name, const char *sysroot);
void ksr_elf_destroy(struct ksr_elf *elf);
/* Bytes of the file's build-id, 0 when it has none. */
size_t ksr_elf_build_id(struct ksr_elf *elf, const unsigned char **id);
/* For data: the name as its language writes it, cut to bytes. */
void ksr_elf_demangle(const char *name, char *text, size_t bytes);
/* For data; the module is the file's own, at address 0. */
struct Dwfl_Module *ksr_elf_module(struct ksr_elf *elf);
/* The caller frees the answer. *whole: it has a name, and debug information gave it. */
char *ksr_elf_lookup(struct ksr_elf *elf, uint64_t address, bool *whole);
/*
 * Calls visit for each range of code that belongs to a source file whose path
 * or last component fits the glob.
 */
int ksr_elf_file_ranges(struct ksr_elf *elf, const char *glob,
			int (*visit)(uint64_t low, uint64_t high, void *user), void *user);

#endif
