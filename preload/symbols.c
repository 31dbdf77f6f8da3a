/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbols.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

bool ksh_find_symbols(void *scope, const struct ksh_symbol *symbols, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		void *found = dlsym(scope, symbols[i].name);

		if (!found)
			return false;
		/* It points to a function or to data: a pointer of either kind is as large. */
		memcpy(symbols[i].where, &found, sizeof(found));
	}
	return true;
}

size_t ksh_symbol_size(const void *address)
{
	const ElfW(Sym) *symbol;
	void *entry = NULL;
	Dl_info info;

	if (!dladdr1(address, &info, &entry, RTLD_DL_SYMENT) || !entry)
		return 0;
	symbol = entry;
	return symbol->st_size;
}
