/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program asks about the heap as a whole: mallinfo(3), malloc_info(3), malloc_stats(3) and
 * mallopt(3). A static program that uses one of them must find it here: libc's comes with
 * all of libc's malloc, whose names are taken.
 *
 * They speak glibc's forms, as far as these have a place for what is known: arenas are jemalloc's and are
 * not told apart, and what glibc maps block by block stands for blocks in slots.
 */
#include "alias.h"
#include "system/fatal.h"
#include "calls/heap.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>

KSM_EXPORT struct mallinfo2 mallinfo2(void)
{
	struct mallinfo2 info = { 0 };
	struct ksm_heap_info heap;

	ksm_heap_info(&heap);
	info.arena = heap.small_mapped;
	info.uordblks = heap.small_allocated;
	info.fordblks = heap.small_mapped - ksm_min(heap.small_allocated, heap.small_mapped);
	info.hblkhd = heap.placed_bytes;
	info.keepcost = heap.kept_bytes;
	return info;
}

/* The older form has int fields; glibc's wraps around, this one stays at the largest int. */
KSM_EXPORT struct mallinfo mallinfo(void)
{
	struct mallinfo2 wide = mallinfo2();
	struct mallinfo info = { 0 };

	info.arena = (int)ksm_min(wide.arena, INT32_MAX);
	info.uordblks = (int)ksm_min(wide.uordblks, INT32_MAX);
	info.fordblks = (int)ksm_min(wide.fordblks, INT32_MAX);
	info.hblkhd = (int)ksm_min(wide.hblkhd, INT32_MAX);
	info.keepcost = (int)ksm_min(wide.keepcost, INT32_MAX);
	return info;
}

/*
 * All parameters tune an allocator that is not there. It is no error to do so: glibc, too, answers
 * 1 for parameters that it does not know.
 */
KSM_EXPORT int mallopt(int parameter, int value)
{
	(void)parameter;
	(void)value;
	return 1;
}

/* On standard error, as glibc's. */
KSM_EXPORT void malloc_stats(void)
{
	struct ksm_heap_info heap;

	ksm_heap_info(&heap);
	ksm_warn("small blocks: %zu bytes in use, %zu mapped", heap.small_allocated, heap.small_mapped);
	ksm_warn("placed blocks: %zu bytes in use, %zu kept", heap.placed_bytes, heap.kept_bytes);
}

/*
 * The elements of glibc's version 1. The stream is the program's, and none of our locks is held while it
 * is written to; yet the call is no cancellation point, like all others of the library.
 */
KSM_EXPORT int malloc_info(int options, FILE *stream)
{
	struct ksm_heap_info heap;
	int previous, written;
	size_t unused;
	char text[1024];

	if (options != 0)
		return EINVAL;
	ksm_heap_info(&heap);
	unused = heap.small_mapped - ksm_min(heap.small_allocated, heap.small_mapped);
	snprintf(text, sizeof(text),
		 "<malloc version=\"1\">\n"
		 "<heap nr=\"0\">\n<sizes>\n</sizes>\n"
		 "<total type=\"rest\" size=\"%zu\"/>\n"
		 "<system type=\"current\" size=\"%zu\"/>\n</heap>\n"
		 "<total type=\"rest\" size=\"%zu\"/>\n"
		 "<total type=\"mmap\" size=\"%zu\"/>\n"
		 "<system type=\"current\" size=\"%zu\"/>\n"
		 "</malloc>\n",
		 unused, heap.small_mapped, unused + heap.kept_bytes, heap.placed_bytes,
		 heap.small_mapped + heap.placed_bytes + heap.kept_bytes);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &previous);
	written = fputs(text, stream);
	pthread_setcancelstate(previous, NULL);
	return written < 0 ? -1 : 0;
}

KSM_ALIAS(__libc_mallinfo, mallinfo);
KSM_ALIAS(__libc_mallinfo2, mallinfo2);
KSM_ALIAS(__libc_mallopt, mallopt);
