/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share-layout: where the counters of a process's passes lie in its segment, as lines of "name offset".
 *
 * bench/share reads them itself, often and without starting a program each time: it is the workers' parent, which may
 * read their memory whatever the machine says of other processes.
 */
#include <stddef.h>
#include <stdio.h>

#include "ksmalloc/segment.h"

int main(void)
{
#define PRINT_OFFSET(name, kind, help) \
	printf(#name " %zu\n", offsetof(struct ksmalloc_segment_header, share.stats.name));
	KSMALLOC_SHARE_STATS(PRINT_OFFSET)
#define PRINT_HUGE_OFFSET(name, kind, help) \
	printf(#name " %zu\n", offsetof(struct ksmalloc_segment_header, huge.stats.name));
	KSMALLOC_HUGE_STATS(PRINT_HUGE_OFFSET)
	return 0;
}
