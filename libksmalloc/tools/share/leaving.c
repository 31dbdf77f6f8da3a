/* SPDX-License-Identifier: BSD-2-Clause */
#include "share/leaving.h"

#include <unistd.h>

/* How much memory a file takes that one of these members has open; 0 if none of them has. */
static uint64_t bytes_of_file(const struct ksr_share_group *group, uint64_t inode)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct ksr_share_member *member = &group->members[i];

		for (size_t k = 0; k < KSMALLOC_MAX_STORE_FILES && !member->is_gone; k++) {
			if (inode && member->files[k].inode == inode)
				return ksm_min(member->files[k].bytes, KSMALLOC_STORE_PAGES_MASK * KSMALLOC_STORE_PAGE);
		}
	}
	return 0;
}

/* Processes of a group that nobody can read are none of these: they are no reason to go on. */
static bool is_alive(const struct ksr_share_group *group, uint32_t own_pid)
{
	for (size_t i = 0; i < group->count; i++) {
		if (group->members[i].own_pid == own_pid && !group->members[i].is_gone)
			return true;
	}
	return false;
}

/* Is one of its holders still to leave it? Who sees nearly all of it keeps it. */
static bool is_being_left(const struct ksr_share_group *group, const struct ksmalloc_store_record *record,
			  const struct ksmalloc_store_sight *sight, uint64_t bytes)
{
	if (record->inode != sight->inode || !sight->given_up)
		return false;
	for (size_t i = 0; i < KSMALLOC_STORE_HOLDERS; i++) {
		uint32_t pid = record->holders[i].pid, pages = sight->seen[i] & KSMALLOC_STORE_PAGES_MASK;
		bool has_said = (sight->seen[i] & ~KSMALLOC_STORE_PAGES_MASK) == ksmalloc_store_said_by(pid);

		if (pid && is_alive(group, pid) && (!has_said || ksmalloc_store_is_left(bytes / KSMALLOC_STORE_PAGE, pages)))
			return true;
	}
	return false;
}

static uint64_t leaving_of_table(const struct ksr_share_group *group, const struct ksr_share_member *member)
{
	struct ksr_share_table table;
	struct ksmalloc_store_list list;
	uint64_t sum = 0;

	if (ksr_share_table_open(group->fs, member->process, &table) < 0)
		return 0;
	if (ksr_share_table_list(&table, &list) == 0) {
		for (size_t i = 0; i < KSMALLOC_MAX_STORE_FILES; i++) {
			uint64_t bytes = bytes_of_file(group, list.files[i].inode);

			sum += is_being_left(group, &list.files[i], &list.sights[i], bytes) ? bytes : 0;
		}
	}
	close(table.file);
	return sum;
}

/* Each table counts once. */
uint64_t ksr_share_leaving(const struct ksr_share_group *group)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < group->count; i++) {
		const struct ksr_share_member *member = &group->members[i];
		bool is_counted = member->is_gone || !member->was_asked;

		for (size_t k = 0; k < i && !is_counted; k++)
			is_counted = !group->members[k].is_gone && group->members[k].was_asked &&
				     ksr_share_is_same(&group->members[k].table, &member->table);
		sum += is_counted ? 0 : leaving_of_table(group, member);
	}
	return sum;
}
