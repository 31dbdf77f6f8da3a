/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of a unit the functions that have code are listed by the ranges of it, those in namespaces and in types too; what is
 * inside of a function is walked over for each address: that is little.
 */
#define _GNU_SOURCE
#include "names/functions.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <stdlib.h>

#include "read/grow.h"
#include "read/search.h"

/* Debug information that says more of one unit is damaged. */
#define MOST_FUNCTIONS (1u << 20)
#define MOST_DEPTH 32
/* A function in another one begins behind it, and may be one of several. */
#define LOOK_BACK 16

struct range {
	uint64_t low;
	uint64_t high;
	Dwarf_Off die; /* of the function, or of the unit */
	Dwarf_Addr bias; /* of units only */
};

struct ranges {
	struct range *list; /* by low */
	size_t count;
	size_t room;
};

struct unit {
	Dwarf_Off die;
	struct ranges functions;
};

struct ksr_functions {
	Dwfl_Module *module;
	struct unit *units; /* by die */
	size_t unit_count;
	struct ranges all; /* of units, read once .debug_aranges has failed */
	bool has_all;
};

struct ksr_functions *ksr_functions_create(struct Dwfl_Module *module)
{
	struct ksr_functions *functions = calloc(1, sizeof(*functions));

	if (functions)
		functions->module = module;
	return functions;
}

void ksr_functions_destroy(struct ksr_functions *functions)
{
	if (!functions)
		return;
	for (size_t i = 0; i < functions->unit_count; i++)
		free(functions->units[i].functions.list);
	free(functions->units);
	free(functions->all.list);
	free(functions);
}

size_t ksr_functions_units(const struct ksr_functions *functions)
{
	return functions->unit_count;
}

/* --- ranges ----------------------------------------------------------------------------- */

static void add_range(struct ranges *ranges, const struct range *range)
{
	struct range *larger;

	if (range->low >= range->high || ranges->count == MOST_FUNCTIONS)
		return;
	larger = ksr_grow(ranges->list, ranges->count, &ranges->room, sizeof(*larger));
	if (!larger)
		return;
	ranges->list = larger;
	ranges->list[ranges->count++] = *range;
}

/* All ranges that a DIE has: code of one function may lie in several places. */
static void add_ranges(struct ranges *ranges, Dwarf_Die *die, Dwarf_Addr bias)
{
	struct range range = {.die = dwarf_dieoffset(die), .bias = bias};
	ptrdiff_t offset = 0;
	Dwarf_Addr base;
	Dwarf_Addr low;
	Dwarf_Addr high;

	while ((offset = dwarf_ranges(die, offset, &base, &low, &high)) > 0) {
		range.low = low + bias;
		range.high = high + bias;
		add_range(ranges, &range);
	}
}

static int compare_ranges(const void *left, const void *right)
{
	const struct range *a = left;
	const struct range *b = right;

	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	/* The longer one is outside. */
	return a->high > b->high ? -1 : a->high < b->high;
}

static uint64_t low_of(const void *element)
{
	return ((const struct range *)element)->low;
}

static const struct range *find_range(const struct ranges *ranges, uint64_t address)
{
	size_t behind = ksr_search_above(ranges->list, ranges->count, sizeof(*ranges->list), low_of, address);

	for (size_t back = 0; back < LOOK_BACK && behind > 0; back++) {
		const struct range *range = &ranges->list[--behind];

		if (address < range->high)
			return range;
	}
	return NULL;
}

static void sort_ranges(struct ranges *ranges)
{
	if (ranges->count)
		qsort(ranges->list, ranges->count, sizeof(*ranges->list), compare_ranges);
}

/* --- units ------------------------------------------------------------------------------ */

static void read_all_units(struct ksr_functions *functions)
{
	Dwarf_Die *unit = NULL;
	Dwarf_Addr bias = 0;

	functions->has_all = true;
	while ((unit = dwfl_module_nextcu(functions->module, unit, &bias)))
		add_ranges(&functions->all, unit, bias);
	sort_ranges(&functions->all);
}

static bool find_unit(struct ksr_functions *functions, uint64_t address, struct ksr_functions_found *found)
{
	Dwarf_Addr bias;
	Dwarf_Die *unit = dwfl_module_addrdie(functions->module, address, &bias);
	const struct range *range;
	Dwarf *dwarf;

	if (unit) {
		found->unit = *unit;
		found->pc = address - bias;
		return true;
	}
	if (!functions->has_all)
		read_all_units(functions);
	range = find_range(&functions->all, address);
	dwarf = range ? dwfl_module_getdwarf(functions->module, &bias) : NULL;
	if (!dwarf || !dwarf_offdie(dwarf, range->die, &found->unit))
		return false;
	found->pc = address - range->bias;
	return true;
}

static bool may_hold_functions(int tag)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_class_type ||
	       tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

/* Functions of some compilers stand in their namespaces and types. */
static void list_functions(struct ranges *ranges, Dwarf_Die *parent, unsigned int depth)
{
	Dwarf_Die die;

	if (depth == MOST_DEPTH || dwarf_child(parent, &die) != 0)
		return;
	do {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_subprogram)
			add_ranges(ranges, &die, 0);
		if (may_hold_functions(tag))
			list_functions(ranges, &die, depth + 1);
	} while (dwarf_siblingof(&die, &die) == 0 && ranges->count < MOST_FUNCTIONS);
}

static uint64_t die_of(const void *element)
{
	return ((const struct unit *)element)->die;
}

/* The unit that has the functions: it may lie in a file of its own, which libdw has found then. */
static Dwarf_Die *split_unit(Dwarf_Die *die, Dwarf_Die *split)
{
	uint8_t type;

	if (dwarf_cu_info(die->cu, NULL, &type, NULL, split, NULL, NULL, NULL) == 0 && type == DW_UT_skeleton &&
	    split->addr)
		return split;
	return die;
}

/* NULL without memory. */
static const struct unit *get_unit(struct ksr_functions *functions, Dwarf_Die *die)
{
	Dwarf_Off offset = dwarf_dieoffset(die);
	size_t at = ksr_search_from(functions->units, functions->unit_count, sizeof(*functions->units), die_of, offset);
	Dwarf_Die split;
	struct unit *units;

	if (at < functions->unit_count && functions->units[at].die == offset)
		return &functions->units[at];
	units = reallocarray(functions->units, functions->unit_count + 1, sizeof(*units));
	if (!units)
		return NULL;
	functions->units = units;
	for (size_t i = functions->unit_count++; i > at; i--)
		units[i] = units[i - 1];
	units[at] = (struct unit){.die = offset};
	list_functions(&units[at].functions, split_unit(die, &split), 0);
	sort_ranges(&units[at].functions);
	return &units[at];
}

/* --- one address ------------------------------------------------------------------------ */

static bool is_scope(int tag)
{
	return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
	       tag == DW_TAG_try_block || tag == DW_TAG_catch_block || tag == DW_TAG_with_stmt;
}

/* The scope directly inside of one that has the address. */
static bool find_inner(Dwarf_Die *outer, Dwarf_Addr pc, Dwarf_Die *inner)
{
	if (dwarf_child(outer, inner) != 0)
		return false;
	do {
		if (is_scope(dwarf_tag(inner)) && dwarf_haspc(inner, pc) == 1)
			return true;
	} while (dwarf_siblingof(inner, inner) == 0);
	return false;
}

/* From the function to what was inlined; then the other way round. */
static void descend(Dwarf_Die *function, struct ksr_functions_found *found)
{
	Dwarf_Die at = *function;
	Dwarf_Die inner;

	found->scopes[found->count++] = at;
	for (unsigned int depth = 0; depth < 4 * KSR_FUNCTIONS_MOST && find_inner(&at, found->pc, &inner); depth++) {
		int tag = dwarf_tag(&inner);

		/* A function in a function was not inlined into it. */
		if (tag == DW_TAG_subprogram)
			found->count = 0;
		if ((tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine) &&
		    found->count < KSR_FUNCTIONS_MOST)
			found->scopes[found->count++] = inner;
		at = inner;
	}
	for (size_t i = 0; i < found->count / 2; i++) {
		Dwarf_Die other = found->scopes[i];

		found->scopes[i] = found->scopes[found->count - 1 - i];
		found->scopes[found->count - 1 - i] = other;
	}
}

bool ksr_functions_find(struct ksr_functions *functions, uint64_t address, struct ksr_functions_found *found)
{
	const struct range *range;
	const struct unit *unit;
	Dwarf_Die split;
	Dwarf_Die die;

	found->count = 0;
	if (!find_unit(functions, address, found))
		return false;
	unit = get_unit(functions, &found->unit);
	range = unit ? find_range(&unit->functions, found->pc) : NULL;
	if (range && dwarf_offdie(dwarf_cu_getdwarf(split_unit(&found->unit, &split)->cu), range->die, &die))
		descend(&die, found);
	return true;
}
