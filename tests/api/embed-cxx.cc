/* SPDX-License-Identifier: BSD-2-Clause */
/* ksmalloc/embed.h is C++, too. */
#include <ksmalloc/embed.h>

int main()
{
	ksmalloc_heap heap;
	int begun = ksmalloc_embed_begin_name("from C++");

	if (ksmalloc_heap_reserve(&heap, "heap", 1 << 20, 0) != 0 || ksmalloc_heap_resize(&heap, 4096) != 0)
		return 1;
	heap.base[0] = 1;
	ksmalloc_embed_end(begun);
	return ksmalloc_heap_release(&heap) != 0 || !heap.is_arena;
}
