/* SPDX-License-Identifier: BSD-2-Clause */
/* of_store: which pages of a process are mapped from the store. */
#ifndef OF_STORE_H
#define OF_STORE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* How many pages of the range the store's mappings have; rights are those of the last of them, or "none". */
static inline unsigned long count_of_store(const volatile void *begin, size_t bytes, char rights[8])
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t from = (uintptr_t)begin, to = from + bytes;
	unsigned long pages = 0;
	char line[512];

	strcpy(rights, "none");
	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long first, end;
		char said[8];

		if (sscanf(line, "%lx-%lx %7s", &first, &end, said) != 3 || end <= from || first >= to ||
		    !strstr(line, "memfd:ksmalloc-store"))
			continue;
		pages += ((end < to ? end : to) - (first > from ? first : from)) / 4096;
		memcpy(rights, said, sizeof(said));
	}
	if (maps)
		fclose(maps);
	return pages;
}

#endif
