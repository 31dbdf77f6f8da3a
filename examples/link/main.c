/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that links with libksmalloc: malloc is ksmalloc's without preloading,
 * and two calls say what a call stack cannot: which data is known to be equal in
 * several processes, and which must never be merged.
 */
#include <ksmalloc/ksmalloc.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_BYTES ((size_t)1 << 20)
#define KEY_BYTES ((size_t)64 << 10)

/* True if the kernel was told that the mapping of this address may be merged. */
static bool is_advised(const void *address)
{
	uintptr_t begin, end, wanted = (uintptr_t)address;
	bool inside = false, advised = false;
	char line[4096];
	FILE *smaps = fopen("/proc/self/smaps", "re");

	if (!smaps)
		return false;
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2)
			inside = begin <= wanted && wanted < end;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			advised = strstr(line, " mg") != NULL;
	}
	fclose(smaps);
	return advised;
}

static void describe(const char *name, const void *block)
{
	printf("%-8s page aligned: %-3s  may be merged: %s\n", name,
	       (uintptr_t)block % 4096 ? "no" : "yes", is_advised(block) ? "yes" : "no");
}

int main(void)
{
	char *table = ksmalloc_malloc_mergeable(TABLE_BYTES);
	char *key = ksmalloc_malloc_private(KEY_BYTES);

	if (!table || !key) {
		fprintf(stderr, "out of memory\n");
		return 1;
	}
	memset(table, 1, TABLE_BYTES);
	memset(key, 2, KEY_BYTES);
	printf("ksmalloc %s\n", ksmalloc_version());
	describe("table", table);
	describe("key", key);
	free(key);
	free(table);
	return 0;
}
