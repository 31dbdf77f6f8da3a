/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * source: where a helper library's allocator of objects takes its memory from.
 *
 * What it is: the streams of libksmalloc.so (ksmalloc/stream.h), looked up as weak symbols, and mappings
 * of the helper's own for what is not to be equal. A struct of functions, so that tests can put theirs there.
 * What it is not: an allocator, or a lock.
 * Failure: ksh_source_follow() says that there are no streams; the functions return NULL without memory.
 */
#ifndef KSMALLOC_SOURCE_H
#define KSMALLOC_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ksh_source {
	unsigned int (*stream)(void); /* of the calling thread */
	unsigned int (*among)(unsigned int stream, unsigned int count); /* ksmalloc_stream_among() */
	uint64_t (*anchor)(void); /* ksmalloc_stream_anchor() */
	void *(*map)(unsigned int stream, size_t bytes);
	void (*taken)(void *memory, size_t bytes); /* ksmalloc_stream_taken(); may be NULL */
	void *(*map_table)(size_t bytes); /* zeros, for what is not to be equal; never given back */
	void (*give_back)(void *pages, size_t bytes); /* they read as zeros then */
	uintptr_t begin; /* all that map() returns lies in [begin, end) */
	uintptr_t end;
};

/*
 * Becomes the process's follower of the streams: moved() is called as ksmalloc_stream_follow() says. False, and nothing
 * is done, where there are no streams, not all of their calls, or another follower.
 */
bool ksh_source_follow(struct ksh_source *source, void (*moved)(void)) __attribute__((visibility("hidden")));

#endif
