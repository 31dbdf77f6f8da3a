/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of a store's files each process of the group gets its part by what it maps of them. What KSM saves is known best of all
 * processes together, where the kernel's counters and what was freed are taken off; each process gets its part of that by
 * what smaps says of it.
 */
#define _GNU_SOURCE
#include "join/balance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "join/aside.h"
#include "join/family.h"

/* What is known of one process, before anything is divided. */
struct figures {
	struct ksr_balance balance;
	uint64_t store;	    /* mapped of the store */
	uint64_t store_pss; /* of it, what its Pss has */
	enum ksr_role role;
};

const char *ksr_role_word(enum ksr_role role)
{
	static const char *const words[] = {"process", "master", "worker"};

	return role < KSR_ROLE_COUNT ? words[role] : words[0];
}

static bool is_anonymous(const struct ksr_vma *vma)
{
	return !(vma->flags & KSR_VMA_SHARED) && (!(vma->flags & KSR_VMA_FILE) || (vma->flags & KSR_VMA_STORE));
}

static uint64_t own_of_mapping(const struct ksr_vma *vma, const struct ksr_memory *memory)
{
	uint64_t taken = memory->merged + (is_anonymous(vma) ? memory->fork_shared : 0);

	return ksr_less(ksm_min(vma->anonymous, vma->rss), taken);
}

uint64_t ksr_own_of_process(const struct ksr_process *process)
{
	struct ksr_memory memory;
	uint64_t own = 0;

	for (size_t i = 0; i < process->smaps.count; i++) {
		ksr_memory_from_vma(&process->smaps.vmas[i], &memory);
		own += own_of_mapping(&process->smaps.vmas[i], &memory);
	}
	return own;
}

/* Where the store of a process takes memory by itself. Slots have a range of addresses to themselves. */
struct for_store {
	const struct ksr_snapshot *snapshot; /* NULL: it does not share */
	uint64_t slots_begin;
	uint64_t slots_end;
};

static struct for_store find_for_store(const struct ksr_snapshot *snapshot)
{
	struct for_store result = {.slots_begin = UINT64_MAX};

	if (!ksr_store_is_asked(&snapshot->header) || ksr_store_is_aside(&snapshot->header))
		return result;
	result.snapshot = snapshot;
	for (uint32_t i = 0; i < snapshot->header.slots.count; i++) {
		struct ksmalloc_segment_slot slot;

		ksr_snapshot_slot(snapshot, i, &slot);
		result.slots_begin = ksm_min(result.slots_begin, slot.base);
		result.slots_end = ksm_max(result.slots_end, slot.base + slot.mapped_bytes);
	}
	return result;
}

static bool is_for_store(const struct for_store *store, const struct ksr_vma *vma)
{
	if (!store->snapshot)
		return false;
	return (vma->begin < store->slots_end && vma->end > store->slots_begin) ||
	       ksr_part_of(store->snapshot, vma) == KSR_PART_HEAP;
}

static void add_mapping(struct figures *figures, const struct for_store *store, const struct ksr_vma *vma)
{
	struct ksr_balance *balance = &figures->balance;
	struct ksr_memory memory;
	uint64_t own;

	ksr_memory_from_vma(vma, &memory);
	balance->pss += vma->pss;
	if (vma->flags & KSR_VMA_SHARED)
		balance->mapped += vma->pss;
	else if (vma->flags & KSR_VMA_FILE && !(vma->flags & KSR_VMA_STORE))
		balance->files += vma->pss - ksr_written_pss(vma);
	balance->merged += memory.saved;
	/* Of files, what was written: KSM takes nothing else. */
	if (vma->flags & KSR_VMA_MERGEABLE)
		balance->mergeable += ksm_min(vma->anonymous, vma->rss);
	if (is_anonymous(vma))
		balance->forked += memory.fork_shared;
	own = own_of_mapping(vma, &memory);
	balance->own += own;
	if (vma->flags & KSR_VMA_MERGEABLE && !is_for_store(store, vma))
		balance->for_ksm += own;
	if (!(vma->flags & KSR_VMA_STORE))
		return;
	figures->store += memory.shared;
	figures->store_pss += ksr_less(vma->pss, vma->anonymous);
}

static void read_figures(const struct ksr_report *report, const struct ksr_process *process, struct figures *figures)
{
	struct for_store store = find_for_store(&process->snapshot);

	memset(figures, 0, sizeof(*figures));
	figures->balance.processes = 1;
	for (size_t i = 0; i < process->smaps.count; i++)
		add_mapping(figures, &store, &process->smaps.vmas[i]);
	if (process->ksm.rmap_items == KSR_NONE)
		return;
	figures->balance.has_visited = true;
	figures->balance.visited = process->ksm.rmap_items * report->page_bytes;
}

static bool is_of(const struct ksr_process *process, const char *group, uint32_t layout)
{
	const struct ksmalloc_segment_header *header = &process->snapshot.header;

	return header->layout == layout && strcmp(header->group, group) == 0;
}

/* A shell that starts a program, and a script that runs a command, is nobody's master: a worker is what its master is. */
static bool is_of_one_program(const struct ksr_process *child, const struct ksr_process *parent)
{
	struct ksmalloc_segment_module own;
	struct ksmalloc_segment_module theirs;

	if (strcmp(child->status.command, parent->status.command) == 0)
		return true;
	/* Workers may change their names; the first module is the program. */
	return ksr_snapshot_module(&child->snapshot, 0, &own) && ksr_snapshot_module(&parent->snapshot, 0, &theirs) &&
	       strcmp(ksr_snapshot_string(&child->snapshot, own.path_string),
		      ksr_snapshot_string(&parent->snapshot, theirs.path_string)) == 0;
}

/* A process that has children of its group and program here is their master, whoever its own parent is. */
static int find_roles(const struct ksr_report *report, struct figures *all)
{
	struct ksr_family family;
	int error = ksr_family_create(report, &family);

	for (size_t i = 0; i < report->process_count && !error; i++) {
		const struct ksr_process *child = &report->processes[i];
		size_t parent = ksr_family_parent(&family, child);

		if (parent == KSR_FAMILY_NONE ||
		    strcmp(child->snapshot.header.group, report->processes[parent].snapshot.header.group) != 0 ||
		    !is_of_one_program(child, &report->processes[parent]))
			continue;
		all[parent].role = KSR_ROLE_MASTER;
		if (all[i].role != KSR_ROLE_MASTER)
			all[i].role = KSR_ROLE_WORKER;
	}
	ksr_family_destroy(&family);
	return error;
}

static void add(struct ksr_balance *sum, const struct ksr_balance *part)
{
	sum->processes += part->processes;
	sum->needs += part->needs;
	sum->pss += part->pss;
	sum->untouched += part->untouched;
	sum->merged += part->merged;
	sum->shared += part->shared;
	sum->forked += part->forked;
	sum->mergeable += part->mergeable;
	sum->own += part->own;
	sum->for_ksm += part->for_ksm;
	sum->files += part->files;
	sum->mapped += part->mapped;
	sum->visited += part->visited;
	sum->has_visited |= part->has_visited;
}

/* Divides what the group's files take. */
static void divide_store(const struct ksr_report *report, const struct ksr_group *group, struct figures *all)
{
	uint64_t shared = 0;
	uint64_t pss = 0;

	for (size_t i = 0; i < report->process_count; i++) {
		if (!is_of(&report->processes[i], group->name, group->layout))
			continue;
		shared += all[i].store;
		pss += all[i].store_pss;
	}
	for (size_t i = 0; i < report->process_count; i++) {
		struct ksr_balance *balance = &all[i].balance;
		uint64_t cost;

		if (!is_of(&report->processes[i], group->name, group->layout))
			continue;
		cost = ksr_scale(ksm_max(group->store, pss), all[i].store, shared);
		balance->shared = ksr_less(all[i].store, cost);
		balance->untouched = ksr_less(cost, all[i].store_pss);
		balance->needs = ksr_less(balance->pss, all[i].store_pss) + cost;
	}
}

static void divide_merged(const struct ksr_report *report, struct figures *all)
{
	const struct ksr_totals *totals = &report->totals;
	uint64_t merged = totals->sites.saved + totals->nursery.saved + totals->outside.saved;
	uint64_t sum = 0;

	for (size_t i = 0; i < report->process_count; i++)
		sum += all[i].balance.merged;
	for (size_t i = 0; i < report->process_count; i++)
		all[i].balance.merged = ksr_scale(merged, all[i].balance.merged, sum);
}

static struct ksr_kind *kind_of(struct ksr_balances *balances, const struct ksr_process *process, enum ksr_role role)
{
	const struct ksmalloc_segment_header *header = &process->snapshot.header;

	for (size_t i = 0; i < balances->count; i++) {
		struct ksr_kind *kind = &balances->kinds[i];

		if (kind->role == role && is_of(process, kind->group, kind->layout) &&
		    strcmp(kind->container, process->container) == 0 && strcmp(kind->command, process->status.command) == 0)
			return kind;
	}
	balances->kinds[balances->count] = (struct ksr_kind){
		.group = header->group, .layout = header->layout, .role = role, .command = process->status.command,
		.container = process->container};
	return &balances->kinds[balances->count++];
}

static int compare_kinds(const void *left, const void *right)
{
	const struct ksr_kind *a = left;
	const struct ksr_kind *b = right;
	uint64_t x = ksr_balance_without(&a->balance);
	uint64_t y = ksr_balance_without(&b->balance);
	int names = strcmp(a->group, b->group);

	if (names)
		return names;
	if (x != y)
		return x > y ? -1 : 1;
	names = strcmp(a->command, b->command);
	return names ? names : strcmp(a->container, b->container);
}

int ksr_balances_create(const struct ksr_report *report, struct ksr_balances *balances)
{
	struct figures *all = calloc(report->process_count + 1, sizeof(*all));

	memset(balances, 0, sizeof(*balances));
	balances->kinds = calloc(report->process_count + 1, sizeof(*balances->kinds));
	for (size_t i = 0; all && i < report->process_count; i++)
		read_figures(report, &report->processes[i], &all[i]);
	if (!all || !balances->kinds || find_roles(report, all)) {
		free(all);
		ksr_balances_destroy(balances);
		return -ENOMEM;
	}
	for (size_t i = 0; i < report->group_count; i++)
		divide_store(report, &report->groups[i], all);
	divide_merged(report, all);
	for (size_t i = 0; i < report->process_count; i++) {
		add(&kind_of(balances, &report->processes[i], all[i].role)->balance, &all[i].balance);
		add(&balances->total, &all[i].balance);
	}
	free(all);
	qsort(balances->kinds, balances->count, sizeof(*balances->kinds), compare_kinds);
	return 0;
}

void ksr_balances_destroy(struct ksr_balances *balances)
{
	free(balances->kinds);
	memset(balances, 0, sizeof(*balances));
}
