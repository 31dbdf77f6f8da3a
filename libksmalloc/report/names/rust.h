/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rust: names of functions as rustc writes them ("v0", which begin with _R).
 *
 * What it is: the path of the function, with colons, without type arguments, lifetimes and hashes: what people call it.
 * What it is not: a whole demangler. Types are read, and said where a function is of one: "Vec::push".
 * Invariants: whatever text is given, time and memory are bounded.
 * Locking and owner: pure.
 * Failure: NULL for what is no such name, and without memory.
 */
#ifndef KSR_NAMES_RUST_H
#define KSR_NAMES_RUST_H

/* "alloc::vec::Vec::push" of "_RNvMs_NtCslNYArtu3iFV_5alloc3vecINtB4_3VecpE4pushCs1_3app"; the caller frees. */
char *ksr_rust_name(const char *symbol);

#endif
