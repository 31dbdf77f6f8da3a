/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbols: functions and variables of the runtime that a helper library works in, which need not be there when the
 * helper is built.
 */
#ifndef KSMALLOC_SYMBOLS_H
#define KSMALLOC_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>

struct ksh_symbol {
	void *where; /* the pointer that gets the address */
	const char *name;
};

/* Looks all of them up in scope, as dlsym(3). False if one is missing; pointers before it are set then. */
bool ksh_find_symbols(void *scope, const struct ksh_symbol *symbols, size_t count)
	__attribute__((visibility("hidden")));

/* How many bytes the function or variable at this address has by its symbol. 0 if there is none. */
size_t ksh_symbol_size(const void *address) __attribute__((visibility("hidden")));

#endif
