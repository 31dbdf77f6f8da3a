/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE    20u /* times that a lock is tried */
#define TABLE_BYTES (KSM_STORE_ROWS_OFFSET + (uint64_t)KSM_STORE_SLICES * sizeof(struct ksm_store_row))

int ksm_store_table_read(const struct ksm_store *store, void *to, size_t length, uint64_t offset)
{
	ssize_t got = ksm_os_read_at(store->table, to, length, offset);

	return got == (ssize_t)length ? 0 : got < 0 ? (int)got : -EIO;
}

int ksm_store_table_write(const struct ksm_store *store, const void *from, size_t length, uint64_t offset)
{
	if (!ksm_os_may_write_to(offset + length))
		return -EFBIG;
	return ksm_os_write(store->table, from, length, (off_t)offset);
}

/* Tries it some times. length is 0: the table's own lock. */
static int take_lock(const struct ksm_store *store, uint64_t offset, uint64_t length)
{
	int error = -EWOULDBLOCK;

	for (uint32_t i = 0; i < PATIENCE && error == -EWOULDBLOCK; i++) {
		if (i)
			ksm_os_pause();
		error = length ? ksm_os_try_lock_part(store->table, offset, length) : ksm_os_try_lock(store->table);
	}
	return error;
}

int ksm_store_table_lock(const struct ksm_store *store)
{
	return take_lock(store, 0, 0);
}

int ksm_store_table_lock_row(const struct ksm_store *store, uint64_t offset)
{
	return take_lock(store, offset, sizeof(struct ksm_store_row));
}

void ksm_store_table_unlock_row(const struct ksm_store *store, uint64_t offset)
{
	ksm_os_unlock_part(store->table, offset, sizeof(struct ksm_store_row));
}

int ksm_store_table_read_head(struct ksm_store *store)
{
	return ksm_store_table_read(store, &store->tables->head, sizeof(store->tables->head), 0);
}

int ksm_store_table_write_head(const struct ksm_store *store)
{
	return ksm_store_table_write(store, &store->tables->head, sizeof(store->tables->head), 0);
}

/* Empties a table that is new, or of the layout that the group had before: who is in it stands aside from then on. */
static int clear_table(struct ksm_store *store)
{
	struct ksmalloc_store_list *head = &store->tables->head;
	int error = ksm_os_set_length(store->table, 0);

	if (!error)
		error = ksm_os_set_length(store->table, TABLE_BYTES);
	if (error)
		return error;
	memset(head, 0, sizeof(*head));
	head->first.magic = KSMALLOC_STORE_MAGIC;
	head->first.id = store->id;
	return ksm_store_table_write_head(store);
}

bool ksm_store_table_is_ours(const struct ksm_store *store)
{
	return store->tables->head.first.magic == KSMALLOC_STORE_MAGIC && store->tables->head.first.id == store->id;
}

int ksm_store_table_check(struct ksm_store *store)
{
	struct ksm_os_file facts;
	int error = ksm_os_describe_file(store->table, &facts);

	if (error)
		return error;
	if (!facts.is_regular || facts.owner != ksm_os_user() || (facts.mode & 077) || facts.links != 1)
		return -EPERM;
	if (facts.bytes == TABLE_BYTES && ksm_store_table_read_head(store) == 0 && ksm_store_table_is_ours(store)) {
		store->was_in = true;
		return 0;
	}
	/* What is neither empty nor a table is somebody's file, and stays as it is. */
	if (facts.bytes > 0 && (ksm_store_table_read_head(store) != 0 || store->tables->head.first.magic != KSMALLOC_STORE_MAGIC))
		return -EINVAL;
	if (facts.bytes > 0 && store->was_in && store->tables->head.first.id != store->id)
		return -ESTALE;
	error = ksm_store_table_lock(store);
	if (error)
		return error;
	/* Somebody may have been faster. */
	error = ksm_os_describe_file(store->table, &facts);
	if (!error && !(facts.bytes == TABLE_BYTES && ksm_store_table_read_head(store) == 0 && ksm_store_table_is_ours(store)))
		error = clear_table(store);
	ksm_os_unlock(store->table);
	store->was_in = store->was_in || !error;
	return error;
}

bool ksm_store_table_is_alive(const struct ksmalloc_store_holder *holder)
{
	return holder->pid && holder->pid <= INT32_MAX && ksm_os_process_exists((pid_t)holder->pid);
}

bool ksm_store_table_is_held(const struct ksmalloc_store_record *record)
{
	for (uint32_t i = 0; i < KSMALLOC_STORE_HOLDERS; i++) {
		if (ksm_store_table_is_alive(&record->holders[i]))
			return true;
	}
	return false;
}

void ksm_store_table_name_held(const struct ksmalloc_store_holder *holder, char path[KSM_STORE_HELD_PATH])
{
	snprintf(path, KSM_STORE_HELD_PATH, "/proc/%u/fd/%u", holder->pid, holder->descriptor);
}

/* Of whom it cannot be told it is believed. */
static bool has_file(const struct ksmalloc_store_holder *holder, uint64_t inode)
{
	struct ksm_os_file facts;
	char path[KSM_STORE_HELD_PATH];
	int error;

	ksm_store_table_name_held(holder, path);
	error = ksm_os_describe_path(path, &facts);
	return error ? error != -ENOENT : facts.inode == inode;
}

/* Those of the record's holders among the ones asked for, a bit for each. */
static uint32_t find_strangers(const struct ksmalloc_store_record *record, uint32_t among)
{
	uint32_t strangers = 0;

	for (uint32_t i = 0; record->inode && i < KSMALLOC_STORE_HOLDERS; i++) {
		if ((among >> i & 1) && ksm_store_table_is_alive(&record->holders[i]) &&
		    !has_file(&record->holders[i], record->inode))
			strangers |= UINT32_C(1) << i;
	}
	return strangers;
}

/* Looked at without the lock, since that takes long, and once more with it: few are strangers. */
void ksm_store_table_sweep(struct ksm_store *store)
{
	struct ksmalloc_store_record *records = store->tables->head.files;
	uint8_t found[KSM_STORE_FILES];
	uint32_t all = 0;

	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		found[i] = (uint8_t)find_strangers(&records[i], UINT32_MAX);
		all += found[i];
	}
	if (all == 0 || ksm_store_table_lock(store) != 0)
		return;
	if (ksm_store_table_read_head(store) == 0 && ksm_store_table_is_ours(store)) {
		for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
			uint32_t strangers = find_strangers(&records[i], found[i]);

			for (uint32_t k = 0; k < KSMALLOC_STORE_HOLDERS; k++) {
				if (strangers >> k & 1)
					records[i].holders[k] = (struct ksmalloc_store_holder){ 0, 0 };
			}
		}
		ksm_store_table_write_head(store);
	}
	ksm_os_unlock(store->table);
}
