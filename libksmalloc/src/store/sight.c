/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/sight.h"


#include <errno.h>
#include <string.h>

#define LEAST_PAGES 64u /* fewer that nobody sees are not worth the work */
#define PART	    8u	/* of what is seen one in so many is to be free afterwards, and to have been lost */
#define PART_RESTING 64u /* the same in members that have come to rest */
#define GOING 4u /* of all pages one in so many may be on its way to another file then */
#define LEAST_COPIES 2u /* of a page that several have alike: one of them is gained at least, and as a rule more */
/* Of all pages one in so many is to be gained by putting files in order: else they are, whatever single ones are like. */
#define ORDER 32u

/* False if it is not known: another process had the holder's place when that was said. */
static bool has_said(const struct ksmalloc_store_holder *holder, uint32_t said, uint32_t *pages)
{
	*pages = said & KSMALLOC_STORE_PAGES_MASK;
	return (said & ~KSMALLOC_STORE_PAGES_MASK) == ksmalloc_store_said_by(holder->pid);
}

/* NULL if nothing is known of the file that is open here. */
static const struct ksmalloc_store_sight *sight_of(const struct ksm_store *store, uint32_t index)
{
	const struct ksmalloc_store_sight *sight = &store->tables->head.sights[index];

	return store->files[index].inode && sight->inode == store->files[index].inode ? sight : NULL;
}

/* Pages of memory that the file takes. */
static uint32_t pages_of(const struct ksm_store_file *file)
{
	struct ksm_os_file facts;

	if (!file->inode || ksm_os_describe_file(file->descriptor, &facts) != 0 || facts.inode != file->inode)
		return 0;
	return (uint32_t)ksm_min(facts.memory >> KSM_PAGE_SHIFT, (uint64_t)KSMALLOC_STORE_PAGES_MASK);
}

/* The most that a living holder sees, or KSM_STORE_NOT_SEEN as long as one of them has not said anything. */
static uint32_t most_seen(const struct ksmalloc_store_record *record, const struct ksmalloc_store_sight *sight, uint32_t own)
{
	uint32_t most = own;

	for (uint32_t i = 0; i < KSMALLOC_STORE_HOLDERS; i++) {
		uint32_t pages;

		if (!ksm_store_table_is_alive(&record->holders[i]))
			continue;
		if (!has_said(&record->holders[i], sight->seen[i], &pages))
			return KSM_STORE_NOT_SEEN;
		most = ksm_max(most, pages);
	}
	return most;
}

/*
 * True if so many more pages may be on their way. Until all members have left a file that was given up it takes its memory besides that
 * of the next one.
 */
static bool may_go(const struct ksmalloc_store_list *head, uint32_t pages)
{
	uint64_t going = 0, all = 0;

	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		const struct ksmalloc_store_sight *sight = &head->sights[i];

		if (!head->files[i].inode || sight->inode != head->files[i].inode || !ksm_store_table_is_held(&head->files[i]))
			continue;
		all += sight->most;
		going += sight->given_up ? sight->most : 0;
	}
	return going == 0 || (going + pages) * GOING <= all;
}

/*
 * The pages that somebody saw at a time, and those that the file has got since: for holes that were written to, which
 * nobody will see. Where a member had to write over holes when it mapped the file (share_fill.h) these may be half as
 * many. Which ones they are is not known of a file whose publisher is of a version that does not say what it had.
 */
static uint32_t pages_before(const struct ksmalloc_store_list *head, const struct ksmalloc_store_sight *sight,
			     uint32_t most, uint32_t taken)
{
	uint32_t grown = sight->generation && taken > most ? taken - most : 0;

	if (head->first.over_holes && (int32_t)(head->first.over_holes - sight->generation) >= 0)
		grown -= ksm_min(grown, most / 2);
	return most + grown;
}

/* True if so little of these pages is seen that it pays to copy that. */
static bool is_too_much(uint32_t pages, uint32_t seen, uint32_t before, uint64_t part)
{
	uint64_t unseen = pages > seen ? pages - seen : 0;

	return unseen >= LEAST_PAGES && unseen * part > seen && seen * part <= before * (part - 1);
}

/*
 * True if so much of a file would be seen again, in the next one, that it pays to copy the rest. Not as long as somebody sees nearly all
 * of these pages, and would keep the file.
 */
static bool is_regained(uint32_t alike, uint32_t pages, uint32_t seen)
{
	return alike >= LEAST_PAGES && (uint64_t)alike * PART_RESTING > seen && ksmalloc_store_is_left(pages, seen);
}

/* True if something was changed. */
static bool note(const struct ksm_store *store, uint32_t index, uint32_t pages)
{
	const struct ksmalloc_store_record *record = &store->tables->head.files[index];
	struct ksmalloc_store_sight *sight = &store->tables->head.sights[index];
	bool changed = sight->inode != record->inode;

	if (changed)
		*sight = (struct ksmalloc_store_sight){ .inode = record->inode };
	sight->most = ksm_max(sight->most, ksm_min(pages, KSMALLOC_STORE_PAGES_MASK));
	for (uint32_t i = 0; i < KSMALLOC_STORE_HOLDERS; i++) {
		uint32_t said = ksmalloc_store_said_by(record->holders[i].pid) | ksm_min(pages, KSMALLOC_STORE_PAGES_MASK);

		if (record->holders[i].pid != (uint32_t)store->pid || sight->seen[i] == said)
			continue;
		sight->seen[i] = said;
		changed = true;
	}
	return changed;
}

/* This member has made files larger. True if something was changed. What cannot be written is said the next time. */
static bool note_written(const struct ksm_store *store)
{
	struct ksmalloc_store_head *first = &store->tables->head.first;
	const uint32_t now = ksm_max((uint32_t)first->generation, 1u);
	const bool changed = store->has_written && first->over_holes != now;

	if (changed)
		first->over_holes = now;
	return changed;
}

/* Whether a file is worth its memory. */
struct worth {
	uint32_t taken;	  /* pages */
	uint32_t seen;	  /* most that a member sees of them */
	bool is_waste;	  /* it is given up in any case */
	bool is_unordered; /* it is where members rest */
};

static struct worth worth_of(const struct ksm_store *store, uint32_t index, uint32_t pages, const uint32_t *alike)
{
	const struct ksmalloc_store_list *head = &store->tables->head;
	const struct ksmalloc_store_sight *sight = &head->sights[index];
	struct worth worth = { .seen = most_seen(&head->files[index], sight, pages) };
	uint32_t before;

	if (worth.seen == KSM_STORE_NOT_SEEN || sight->given_up)
		return (struct worth){ 0 };
	worth.taken = pages_of(&store->files[index]);
	before = pages_before(head, sight, ksm_max(sight->most, worth.seen), worth.taken);
	worth.is_waste = is_too_much(worth.taken, worth.seen, before, PART);
	worth.is_unordered = alike && (is_too_much(worth.taken, worth.seen, before, PART_RESTING) ||
				       is_regained(alike[index], worth.taken, worth.seen));
	return worth;
}

/* True if this process knows the file that the table has there. */
static bool is_known(const struct ksm_store *store, uint32_t index, const uint32_t *pages)
{
	return pages[index] != KSM_STORE_NOT_SEEN && store->files[index].inode &&
	       store->files[index].inode == store->tables->head.files[index].inode;
}

/*
 * True if it pays to put files in order. Members that write now and then have some of them in disorder always, and each
 * time one is left its memory is taken twice for a while.
 */
static bool is_out_of_order(const struct worth worths[KSM_STORE_FILES], const uint32_t *alike)
{
	uint64_t gained = 0, all = 0;

	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		const struct worth *worth = &worths[i];

		all += worth->taken;
		if (worth->is_unordered || worth->is_waste)
			gained += (uint64_t)alike[i] * LEAST_COPIES +
				  (worth->taken > worth->seen ? worth->taken - worth->seen : 0);
	}
	return gained * ORDER > all;
}

/* Gives the file up if it is waste, or if files are put in order and it is not. */
static bool judge(const struct ksm_store *store, uint32_t index, const struct worth *worth, bool orders)
{
	struct ksmalloc_store_list *head = &store->tables->head;
	struct ksmalloc_store_sight *sight = &head->sights[index];

	sight->most = ksm_max(sight->most, worth->seen);
	if (!worth->is_waste && !(orders && worth->is_unordered && may_go(head, worth->seen)))
		return false;
	sight->given_up = ksm_max((uint32_t)head->first.generation, 1u);
	return true;
}

int ksm_store_note_seen(struct ksm_store *store, const uint32_t pages[KSM_STORE_FILES], const uint32_t *alike)
{
	struct ksmalloc_store_list *head = &store->tables->head;
	struct worth worths[KSM_STORE_FILES] = { 0 };
	bool changed = false;
	bool orders = false;
	int given_up = 0;
	int error = ksm_store_table_lock(store);

	if (error)
		return error;
	error = ksm_store_table_read_head(store);
	if (!error && !ksm_store_table_is_ours(store))
		error = -ESTALE;
	if (!error)
		changed = note_written(store);
	for (uint32_t i = 0; i < KSM_STORE_FILES && !error; i++) {
		if (!is_known(store, i, pages))
			continue;
		changed |= note(store, i, pages[i]);
		worths[i] = worth_of(store, i, pages[i], alike);
	}
	if (!error && alike)
		orders = is_out_of_order(worths, alike);
	for (uint32_t i = 0; i < KSM_STORE_FILES && !error; i++) {
		if (is_known(store, i, pages))
			given_up += judge(store, i, &worths[i], orders);
	}
	/* So that all make a pass soon. */
	head->first.generation += given_up > 0;
	if (!error && (changed || given_up))
		error = ksm_store_table_write_head(store);
	if (!error)
		store->has_written = false;
	ksm_os_unlock(store->table);
	return error ? error : given_up;
}

bool ksm_store_is_given_up(const struct ksm_store *store, uint32_t index, uint32_t pages)
{
	const struct ksmalloc_store_sight *sight = sight_of(store, index);

	return sight && sight->given_up && ksmalloc_store_is_left(pages_of(&store->files[index]), pages);
}

bool ksm_store_is_newer(const struct ksm_store *store, uint32_t index, uint32_t than)
{
	const struct ksmalloc_store_sight *sight = sight_of(store, index);
	const struct ksmalloc_store_sight *other = sight_of(store, than);

	return sight && other && !sight->given_up && other->given_up &&
	       (int32_t)(sight->generation - other->given_up) > 0;
}

bool ksm_store_is_seen_by_others(const struct ksm_store *store, uint32_t index)
{
	const struct ksmalloc_store_record *record = &store->tables->head.files[index];
	const struct ksmalloc_store_sight *sight = sight_of(store, index);

	for (uint32_t i = 0; sight && i < KSMALLOC_STORE_HOLDERS; i++) {
		uint32_t pages;

		if (record->holders[i].pid != (uint32_t)store->pid && ksm_store_table_is_alive(&record->holders[i]) &&
		    (!has_said(&record->holders[i], sight->seen[i], &pages) || pages > 0))
			return true;
	}
	return false;
}
