/* SPDX-License-Identifier: BSD-2-Clause */
#include "system/late.h"

#include "system/dynsym.h"

#include <sys/auxv.h>

struct ksm_late_family ksm_late_family;
uint8_t ksm_late_state;

/* Synchronization: written before ksm_late_state. */
static bool is_in_other_namespace;

typedef void any_function(void);

/* The functions of the family, in the order of its members; no pointers, that each process would write. */
static const char names[][20] = { "malloc", "free", "calloc", "realloc", "memalign", "malloc_usable_size" };
static_assert(sizeof(struct ksm_late_family) == KSM_COUNT_OF(names) * sizeof(void *), "a name for each member");

struct walk {
	size_t objects;
	bool is_past_us;
	bool is_late;
	bool is_elsewhere;
	any_function *functions[KSM_COUNT_OF(names)];
};

/* Does an address of this library lie in the object? */
static bool is_us(const struct dl_phdr_info *info)
{
	uintptr_t here = (uintptr_t)&ksm_late_state - info->dlpi_addr;

	for (size_t i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD &&
		    here - info->dlpi_phdr[i].p_vaddr < info->dlpi_phdr[i].p_memsz)
			return true;
	return false;
}

static int visit(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct walk *walk = argument;
	struct ksm_dynsym table;

	(void)size;
	if (walk->objects++ == 0)
		walk->is_elsewhere = (uintptr_t)info->dlpi_phdr != getauxval(AT_PHDR);
	if (is_us(info)) {
		walk->is_past_us = true;
		/* The usual case ends here, before libc. */
		return !walk->is_late;
	}
	if (!ksm_dynsym_of(info, &table))
		return 0;
	for (size_t i = 0; i < KSM_COUNT_OF(names); i++) {
		const ElfW(Sym) *symbol = ksm_dynsym_next(&table, names[i], NULL);

		if (!symbol || !ksm_dynsym_is_function(symbol))
			continue;
		if (!walk->functions[i])
			walk->functions[i] = (any_function *)(table.bias + symbol->st_value);
		walk->is_late |= i == 0 && !walk->is_past_us && ksm_dynsym_is_libc(info->dlpi_name);
	}
	return 0;
}

static bool has_family(const struct walk *walk)
{
	for (size_t i = 0; i < KSM_COUNT_OF(names); i++)
		if (!walk->functions[i])
			return false;
	return true;
}

bool ksm_late_find(void)
{
	struct walk walk = { 0 };
	bool late;

	dl_iterate_phdr(visit, &walk);
	late = walk.is_late && has_family(&walk);
	is_in_other_namespace = walk.is_elsewhere;
	if (late)
		__builtin_memcpy(&ksm_late_family, walk.functions, sizeof(walk.functions));
	__atomic_store_n(&ksm_late_state, late ? KSM_LATE_YES : KSM_LATE_NO, __ATOMIC_RELEASE);
	return late;
}

bool ksm_late_is_at_start(void)
{
	return !ksm_late() && !is_in_other_namespace;
}

static int count_changes(struct dl_phdr_info *info, size_t size, void *count)
{
	(void)size;
	*(unsigned long long *)count = info->dlpi_adds + info->dlpi_subs;
	return 1;
}

unsigned long long ksm_late_code_changes(void)
{
	unsigned long long count = 0;

	dl_iterate_phdr(count_changes, &count);
	return count;
}
