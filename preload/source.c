/* SPDX-License-Identifier: BSD-2-Clause */
#include "source.h"

#include "ksmalloc/stream.h"

#include <sys/mman.h>

#pragma weak ksmalloc_stream
#pragma weak ksmalloc_stream_follow
#pragma weak ksmalloc_stream_among
#pragma weak ksmalloc_stream_anchor
#pragma weak ksmalloc_stream_map
#pragma weak ksmalloc_stream_range
#pragma weak ksmalloc_stream_taken

static void *map_table(size_t bytes)
{
	void *result = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return result == MAP_FAILED ? NULL : result;
}

static void give_back(void *pages, size_t bytes)
{
	madvise(pages, bytes, MADV_DONTNEED);
}

bool ksh_source_follow(struct ksh_source *source, void (*moved)(void))
{
	if (!ksmalloc_stream || !ksmalloc_stream_among || !ksmalloc_stream_anchor || !ksmalloc_stream_follow ||
	    !ksmalloc_stream_map || !ksmalloc_stream_range || ksmalloc_stream_follow(moved))
		return false;
	*source = (struct ksh_source){
		.stream = ksmalloc_stream,
		.among = ksmalloc_stream_among,
		.anchor = ksmalloc_stream_anchor,
		.map = ksmalloc_stream_map,
		.taken = ksmalloc_stream_taken,
		.map_table = map_table,
		.give_back = give_back,
	};
	ksmalloc_stream_range(&source->begin, &source->end);
	return true;
}
