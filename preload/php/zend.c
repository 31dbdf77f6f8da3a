/* SPDX-License-Identifier: BSD-2-Clause */
#include "zend.h"

#include "../symbols.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include "base.h"

bool ksz_zend_find(struct ksz_zend *zend)
{
	const struct ksh_symbol symbols[] = {
		{ &zend->is_own, "is_zend_mm" },
		{ &zend->usage, "zend_memory_usage" },
		{ &zend->heap, "zend_mm_get_heap" },
		{ &zend->alloc, "_zend_mm_alloc" },
		{ &zend->free, "_zend_mm_free" },
		{ &zend->collect, "zend_mm_gc" },
		{ &zend->end_request, "zend_mm_shutdown" },
	};

	return !dlsym(RTLD_DEFAULT, "tsrm_get_ls_cache") &&
	       ksh_find_symbols(RTLD_DEFAULT, symbols, KSM_COUNT_OF(symbols));
}

void *ksz_zend_take_empty(const struct ksz_zend *zend, void *heap)
{
	void *block = zend->alloc(heap, KSZ_LARGEST_IN_CHUNK);

	if (block)
		madvise(block, KSZ_LARGEST_IN_CHUNK, MADV_DONTNEED);
	return block;
}
