/* SPDX-License-Identifier: BSD-2-Clause */
#include "system/readable.h"

#include "os/os.h"

atomic_uintptr_t ksm_readable_pages[KSM_READABLE_PAGES] KSM_SPARSE;

/* Somebody has asked. Until then there is nothing to forget. */
static atomic_bool is_used;

/* So often something was forgotten: what was asked before that may be an answer of before, and is not kept. */
static atomic_uint forgotten;

KSM_COLD bool ksm_readable_ask(uintptr_t page)
{
	unsigned int before;

	atomic_store(&is_used, true);
	before = atomic_load(&forgotten);
	if (!ksm_os_can_read((const void *)(page << KSM_READABLE_SHIFT)))
		return false;
	atomic_store(ksm_readable_entry(page), page);
	if (atomic_load(&forgotten) != before)
		atomic_store(ksm_readable_entry(page), 0);
	return true;
}

static void forget_one(atomic_uintptr_t *entry, uintptr_t first, uintptr_t end)
{
	uintptr_t page = atomic_load_explicit(entry, memory_order_relaxed);

	/* What another one has put there meanwhile is asked for again, and no more than that. */
	if (page >= first && page < end)
		atomic_store_explicit(entry, 0, memory_order_relaxed);
}

void ksm_readable_forget(const void *begin, size_t length)
{
	uintptr_t first = (uintptr_t)begin >> KSM_READABLE_SHIFT;
	uintptr_t end = first + ((length + KSM_PAGE - 1) >> KSM_READABLE_SHIFT);

	/* Who asks from now on hears that it is gone. */
	if (!atomic_load(&is_used))
		return;
	atomic_fetch_add(&forgotten, 1);
	if (end - first > KSM_READABLE_PAGES) {
		for (uint32_t i = 0; i < KSM_READABLE_PAGES; i++)
			forget_one(&ksm_readable_pages[i], first, end);
		return;
	}
	for (uintptr_t page = first; page < end; page++)
		forget_one(ksm_readable_entry(page), first, end);
}

void ksm_readable_forget_all(void)
{
	if (!atomic_load(&is_used))
		return;
	atomic_fetch_add(&forgotten, 1);
	for (uint32_t i = 0; i < KSM_READABLE_PAGES; i++)
		atomic_store_explicit(&ksm_readable_pages[i], 0, memory_order_relaxed);
}
