/* SPDX-License-Identifier: BSD-2-Clause */
#include "site/task.h"

#include "site/loader.h"
#include "system/dynsym.h"

#include <stdatomic.h>

/* The young generation's collection, in V8 of node 18 and newer and in older ones, and the steps of the old one's. */
static const char *const names[] = {
	"_ZN2v88internal10MinorGCJob4Task11RunInternalEv",
	"_ZN2v88internal11ScavengeJob4Task11RunInternalEv",
	"_ZN2v88internal21IncrementalMarkingJob4Task11RunInternalEv",
};

#define NAMES KSM_COUNT_OF(names)

/* Synchronization: an end is written last, and is 0 while there is no such function. */
static struct {
	atomic_uintptr_t begin;
	atomic_uintptr_t end;
} ranges[NAMES];

static atomic_flag is_looking = ATOMIC_FLAG_INIT;
static atomic_uint looked_at; /* generation of the modules, and one more */

static int visit(struct dl_phdr_info *info, size_t size, void *found)
{
	struct ksm_dynsym object;

	(void)size;
	if (!ksm_dynsym_of(info, &object))
		return 0;
	for (size_t i = 0; i < NAMES; i++) {
		const ElfW(Sym) *symbol = ksm_dynsym_next(&object, names[i], NULL);

		if (!symbol)
			continue;
		atomic_store_explicit(&ranges[i].end, 0, memory_order_relaxed);
		atomic_store_explicit(&ranges[i].begin, object.bias + symbol->st_value, memory_order_release);
		atomic_store_explicit(&ranges[i].end, object.bias + symbol->st_value + symbol->st_size, memory_order_release);
		*(uint32_t *)found |= 1u << i;
	}
	return 0;
}

void ksm_task_look(uint32_t generation)
{
	uint32_t found = 0;

	if (ksm_likely(atomic_load_explicit(&looked_at, memory_order_acquire) == generation + 1) ||
	    atomic_flag_test_and_set(&is_looking))
		return;
	if (ksm_loader_iterate(visit, &found) >= 0) {
		for (size_t i = 0; i < NAMES; i++)
			if (!(found & 1u << i))
				atomic_store_explicit(&ranges[i].end, 0, memory_order_relaxed);
		atomic_store_explicit(&looked_at, generation + 1, memory_order_release);
	}
	atomic_flag_clear(&is_looking);
}

void ksm_task_postfork_child(void)
{
	atomic_flag_clear(&is_looking);
}

bool ksm_task_is(uintptr_t address)
{
	for (size_t i = 0; i < NAMES; i++) {
		if (address < atomic_load_explicit(&ranges[i].end, memory_order_acquire) &&
		    address > atomic_load_explicit(&ranges[i].begin, memory_order_relaxed))
			return true;
	}
	return false;
}
