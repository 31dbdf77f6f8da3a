/* SPDX-License-Identifier: BSD-2-Clause */
#include "system/readable.h"

#include "os/os.h"

atomic_uintptr_t ksm_readable_pages[KSM_READABLE_PAGES] KSM_SPARSE;

KSM_COLD bool ksm_readable_ask(uintptr_t page)
{
	if (!ksm_os_can_read((const void *)(page << KSM_READABLE_SHIFT)))
		return false;
	atomic_store_explicit(ksm_readable_entry(page), page, memory_order_relaxed);
	return true;
}
