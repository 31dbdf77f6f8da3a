/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/store.h"

#include "system/meta.h"

#include <errno.h>
#include <ksmalloc/seed.h>
#include <string.h>

#define LEASE_MS 10000u /* for as long a member publishes if it says nothing more */
#define HIGH	 700	/* descriptors from here on are few programs' */
#define PATIENCE 8u	/* times that what is to be published waits for the lock, each for a while */
#define LEAST_ROOM (8 * KSM_MIB) /* where there is less nothing is published: a file takes half, and leaves half to the program */
#define FEW_BYTES  (64 * KSM_KIB) /* of a slice; they are taken back down to half of that, since it sets more free than it takes */
#define SPARE	 2u	/* places in the table for what is carried over: it makes others free */
/*
 * A file that has to be smaller than that, a quarter of what a pass publishes at once (pass.c), leaves so many: near a limit of memory
 * each batch is one of a few MiB, and the table, and the descriptors of all, would be full before there is anything in it.
 */
#define SMALL_PAGES	4096u
#define SPARE_OF_SMALL (KSM_STORE_FILES / 2)
#define ROOM_FOR_LARGE (2 * ((uint64_t)SMALL_PAGES << KSM_PAGE_SHIFT)) /* so much there has to be for one that is not small */

bool ksm_store_name(struct ksm_store *store, const char *seed)
{
	return ksmalloc_seed_beside(seed, KSMALLOC_STORE_TABLE, store->path, sizeof(store->path));
}

int ksm_store_init(struct ksm_store *store)
{
	store->tables = ksm_meta_alloc(sizeof(*store->tables));
	store->table = -1;
	store->user = ksm_os_user();
	store->was_in = false;
	store->built.descriptor = -1;
	store->built.inode = 0;
	for (uint32_t i = 0; i < KSM_STORE_FILES; i++)
		store->files[i].inode = 0;
	return store->tables ? 0 : -ENOMEM;
}

/* --- files -------------------------------------------------------------------------------- */

static struct ksm_share_file share_file(const struct ksm_store *store, struct ksm_store_file *file)
{
	return (struct ksm_share_file){ file->inode ? file->descriptor : -1, store->bytes, &file->known };
}

struct ksm_share_file ksm_store_file(struct ksm_store *store, uint32_t index)
{
	return share_file(store, &store->files[index]);
}

/* True if the descriptor is still the file's: the program may have closed it, and opened something else. */
static bool is_open(const struct ksm_store_file *file)
{
	struct ksm_os_file facts;

	return file->inode && ksm_os_describe_file(file->descriptor, &facts) == 0 && facts.inode == file->inode &&
	       facts.device == file->device;
}

static void forget_file(struct ksm_store_file *file)
{
	*file = (struct ksm_store_file){ .descriptor = -1 };
}

static void close_file(struct ksm_store_file *file)
{
	if (is_open(file))
		ksm_os_close(file->descriptor);
	forget_file(file);
}

/* What was begun of a file that nobody else has. */
static void drop_built(struct ksm_store *store)
{
	close_file(&store->built);
	store->built_pages = 0;
	store->built_huge_bytes = 0;
}

/* Opens what a holder is said to have, if it is that file and one of the store's. */
static int open_held(const struct ksm_store *store, const struct ksmalloc_store_holder *holder, uint64_t inode,
		     struct ksm_store_file *file)
{
	struct ksm_os_file facts;
	struct ksm_share_file opened;
	char path[KSM_STORE_HELD_PATH];
	int error;

	ksm_store_table_name_held(holder, path);
	/* Before it is opened: what else there may be does something when it is. */
	error = ksm_os_describe_path(path, &facts);
	if (error)
		return error;
	if (!facts.is_regular || facts.inode != inode || facts.bytes != store->bytes)
		return -EINVAL;
	opened = (struct ksm_share_file){ ksm_os_open_to_read(path), store->bytes, NULL };
	if (opened.descriptor < 0)
		return opened.descriptor;
	error = ksm_os_describe_file(opened.descriptor, &facts);
	if (!error && facts.inode != inode)
		error = -EINVAL;
	if (!error)
		error = ksm_share_check(&opened);
	if (error) {
		ksm_os_close(opened.descriptor);
		return error;
	}
	*file = (struct ksm_store_file){
		.inode = inode, .device = facts.device, .descriptor = ksm_os_keep_high(opened.descriptor, HIGH),
	};
	return 0;
}

/* Adds this process to those who have the file. True if the record was changed. */
static bool hold(const struct ksm_store *store, struct ksmalloc_store_record *record, int descriptor)
{
	const struct ksmalloc_store_holder me = { (uint32_t)store->pid, (uint32_t)descriptor };

	for (uint32_t i = 0; i < KSMALLOC_STORE_HOLDERS; i++) {
		if (memcmp(&record->holders[i], &me, sizeof(me)) == 0)
			return false;
	}
	for (uint32_t i = 0; i < KSMALLOC_STORE_HOLDERS; i++) {
		if (record->holders[i].pid == me.pid || !ksm_store_table_is_alive(&record->holders[i])) {
			record->holders[i] = me;
			return true;
		}
	}
	return false;
}

/* Who looks for the file need not ask this process any more. True if the record was changed. */
static bool leave_record(const struct ksm_store *store, struct ksmalloc_store_record *record)
{
	bool changed = false;

	for (uint32_t i = 0; i < KSMALLOC_STORE_HOLDERS; i++) {
		if (record->holders[i].pid != (uint32_t)store->pid)
			continue;
		record->holders[i] = (struct ksmalloc_store_holder){ 0, 0 };
		changed = true;
	}
	return changed;
}

/* What stays in the record for want of the lock is taken off when the store is entered next. */
void ksm_store_let_go(struct ksm_store *store, uint32_t index)
{
	struct ksmalloc_store_record *record = &store->tables->head.files[index];

	store->unwanted[index] = store->files[index].inode;
	close_file(&store->files[index]);
	if (ksm_store_table_lock(store) != 0)
		return;
	if (ksm_store_table_read_head(store) == 0 && ksm_store_table_is_ours(store) &&
	    record->inode == store->unwanted[index] && leave_record(store, record))
		ksm_store_table_write_head(store);
	ksm_os_unlock(store->table);
}

/* Opens a file of the table that is not open here. */
static void open_file(struct ksm_store *store, uint32_t index)
{
	struct ksmalloc_store_record *record = &store->tables->head.files[index];
	struct ksm_store_file *file = &store->files[index];

	for (uint32_t i = 0; i < KSMALLOC_STORE_HOLDERS && !file->inode; i++) {
		if (record->holders[i].pid)
			open_held(store, &record->holders[i], record->inode, file);
	}
}

/* Nobody begins with a file that was given up. */
static bool is_going(const struct ksm_store *store, uint32_t index)
{
	const struct ksmalloc_store_sight *sight = &store->tables->head.sights[index];

	return sight->inode == store->tables->head.files[index].inode && sight->given_up;
}

/* Makes the list of open files that of the table, and lets others know of it. */
static void follow_files(struct ksm_store *store)
{
	struct ksmalloc_store_record *records = store->tables->head.files;
	bool changed = false;

	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		struct ksm_store_file *file = &store->files[i];

		if (file->inode && !is_open(file))
			forget_file(file);
		if (file->inode && file->inode != records[i].inode)
			close_file(file);
		if (!file->inode && records[i].inode && records[i].inode != store->unwanted[i] && !is_going(store, i))
			open_file(store, i);
	}
	if (ksm_store_table_lock(store) != 0)
		return;
	if (ksm_store_table_read_head(store) == 0 && ksm_store_table_is_ours(store)) {
		for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
			if (store->files[i].inode && store->files[i].inode == records[i].inode)
				changed |= hold(store, &records[i], store->files[i].descriptor);
			else if (records[i].inode && records[i].inode == store->unwanted[i])
				changed |= leave_record(store, &records[i]);
		}
		if (changed)
			ksm_store_table_write_head(store);
	}
	ksm_os_unlock(store->table);
}

/* --- members ------------------------------------------------------------------------------ */

/* A new process, also the child of a fork: what its parent was building is its parent's. */
static void become_member(struct ksm_store *store)
{
	pid_t pid = ksm_os_pid();

	if (store->pid == pid)
		return;
	drop_built(store);
	/* It tells of that itself. */
	store->has_written = false;
	/* What its parent has taken of it since is not its own. */
	store->room_until = 0;
	ksm_os_random(&store->tag, sizeof(store->tag));
	store->tag = (store->tag & KSM_STORE_TAG_MASK) ? store->tag & KSM_STORE_TAG_MASK : 1;
	store->pid = pid;
}

void ksm_store_heed_user(struct ksm_store *store)
{
	if (ksm_os_may_be_user(store->user))
		return;
	store->user = ksm_os_user();
	drop_built(store);
	for (uint32_t i = 0; i < KSM_STORE_FILES; i++)
		close_file(&store->files[i]);
}

void ksm_store_want_all(struct ksm_store *store)
{
	memset(store->unwanted, 0, sizeof(store->unwanted));
	follow_files(store);
}

int ksm_store_enter(struct ksm_store *store)
{
	int error;

	become_member(store);
	store->table = ksm_os_open_table(store->path);
	if (store->table < 0)
		return store->table;
	error = ksm_store_table_check(store);
	if (error) {
		ksm_store_leave(store);
		return error;
	}
	if (store->built.inode && !is_open(&store->built))
		forget_file(&store->built);
	follow_files(store);
	ksm_store_look_at_room(store);
	return 0;
}

void ksm_store_leave(struct ksm_store *store)
{
	if (store->table >= 0)
		ksm_os_close(store->table);
	store->table = -1;
}

uint64_t ksm_store_generation(const struct ksm_store *store)
{
	return store->tables->head.first.generation;
}

uint64_t ksm_store_requests(const struct ksm_store *store)
{
	return store->tables->head.first.requests;
}

bool ksm_store_is_changed(const struct ksm_store *store, uint64_t generation, uint64_t requests)
{
	int table = ksm_os_open_to_read(store->path);
	struct ksmalloc_store_head now;
	bool changed;

	if (table < 0)
		return false;
	changed = ksm_os_read_at(table, &now, sizeof(now), 0) == (ssize_t)sizeof(now) &&
		  (now.generation != generation || now.requests != requests);
	ksm_os_close(table);
	return changed;
}

/* --- publishing --------------------------------------------------------------------------- */

static bool is_leased(const struct ksm_store *store, uint64_t now)
{
	const struct ksmalloc_store_list *head = &store->tables->head;

	return head->first.lease_pid != (uint32_t)store->pid && head->first.lease_until > now &&
	       head->first.lease_until - now <= LEASE_MS &&
	       ksm_store_table_is_alive(&(struct ksmalloc_store_holder){ head->first.lease_pid, 0 });
}

/* A place in the table for a new file that leaves so many more, or -ENOSPC. One that nobody has any more is free, too. */
static int free_record(const struct ksm_store *store, uint32_t spare)
{
	const struct ksmalloc_store_record *records = store->tables->head.files;

	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		bool is_held = records[i].inode && ksm_store_table_is_held(&records[i]);

		if (!is_held && !store->files[i].inode && spare-- == 0)
			return (int)i;
	}
	return -ENOSPC;
}

static void look_at_room(struct ksm_store *store)
{
	uint64_t now = ksm_os_now_ms();

	if (now < store->room_until)
		return;
	store->room = ksm_os_memory_room();
	store->room_until = now + KSM_STORE_ROOM_MS;
}

void ksm_store_look_at_room(struct ksm_store *store)
{
	if (store->needs_room || store->needed_room)
		look_at_room(store);
}

void ksm_store_look_at_room_anew(struct ksm_store *store)
{
	store->room_until = 0;
	ksm_store_look_at_room(store);
}

void ksm_store_begin_pass(struct ksm_store *store)
{
	store->needed_room = store->needs_room;
	store->needs_room = false;
	store->has_swept = false;
	store->lacking = 0;
}

/* What was not looked at when the store was entered, since nothing was to be taken as it seemed, is looked at now. */
static bool take_room(struct ksm_store *store, uint64_t bytes, uint64_t least)
{
	if (!store->needs_room && !store->needed_room)
		look_at_room(store);
	store->needs_room = true;
	if (store->room < least || store->room - least < bytes)
		return false;
	store->room -= bytes;
	return true;
}

bool ksm_store_take_room(struct ksm_store *store, uint64_t bytes)
{
	return take_room(store, bytes, LEAST_ROOM);
}

uint32_t ksm_store_holders(const struct ksm_store *store, uint32_t index)
{
	const struct ksmalloc_store_record *record;
	uint32_t holders = 0;

	if (index >= KSM_STORE_FILES)
		return KSMALLOC_STORE_HOLDERS;
	record = &store->tables->head.files[index];
	if (!record->inode || record->inode != store->files[index].inode)
		return KSMALLOC_STORE_HOLDERS;
	for (uint32_t i = 0; i < KSMALLOC_STORE_HOLDERS; i++)
		holders += ksm_store_table_is_alive(&record->holders[i]);
	/* This process, for which the record may have had no place. */
	return ksm_max(holders, 1u);
}

bool ksm_store_take_room_to_leave(struct ksm_store *store, uint64_t bytes, uint64_t besides, uint32_t holders)
{
	return take_room(store, bytes * holders, bytes <= FEW_BYTES ? LEAST_ROOM / 2 + besides : LEAST_ROOM);
}

bool ksm_store_lacks_room(const struct ksm_store *store)
{
	return store->room < store->lacking;
}

bool ksm_store_is_full(const struct ksm_store *store)
{
	return store->built_pages > 0 && store->built_pages >= store->most_pages;
}

/* The next file gets half of it at most: the program goes on to take memory, and so do others. */
static bool has_room(struct ksm_store *store)
{
	if (store->built.inode)
		return true;
	store->lacking = ksm_store_take_room(store, 0) ? 0 : LEAST_ROOM;
	if (store->lacking)
		return false;
	store->most_pages = (uint32_t)ksm_min(store->room / 2 >> KSM_PAGE_SHIFT, (uint64_t)UINT32_MAX);
	return true;
}

bool ksm_store_has_places(const struct ksm_store *store)
{
	return free_record(store, SPARE_OF_SMALL) >= 0;
}

/* The table has a place for a file. True if the one that is published next is begun already, or may have it by its size. */
static bool may_have_place(struct ksm_store *store, uint32_t spare)
{
	bool is_small = !store->built.inode && store->most_pages < SMALL_PAGES;

	/* What is carried over makes places free. */
	if (!is_small || spare == 0 || ksm_store_has_places(store))
		return true;
	/* There is one for a larger file, which this one would be with more memory. */
	store->lacking = ROOM_FOR_LARGE;
	return false;
}

static bool may_publish(struct ksm_store *store, uint32_t spare)
{
	uint64_t now = ksm_os_now_ms();
	struct ksmalloc_store_list *head = &store->tables->head;
	bool mine = false;

	if (!store->has_swept && !ksm_store_has_places(store)) {
		store->has_swept = true;
		ksm_store_table_sweep(store);
	}
	if (!ksm_os_may_write_to(store->bytes) || free_record(store, spare) < 0 || is_leased(store, now) ||
	    !has_room(store) || !may_have_place(store, spare) || ksm_store_table_lock(store) != 0)
		return false;
	if (ksm_store_table_read_head(store) == 0 && ksm_store_table_is_ours(store) && !is_leased(store, now)) {
		head->first.lease_pid = (uint32_t)store->pid;
		head->first.lease_until = now + LEASE_MS;
		mine = ksm_store_table_write_head(store) == 0;
	}
	ksm_os_unlock(store->table);
	return mine;
}

bool ksm_store_may_publish(struct ksm_store *store)
{
	return may_publish(store, SPARE);
}

bool ksm_store_may_carry_over(struct ksm_store *store)
{
	return may_publish(store, 0);
}

static int begin_file(struct ksm_store *store)
{
	int descriptor = ksm_os_create_store(KSMALLOC_STORE_NAME);
	struct ksm_os_file facts;
	int error = descriptor < 0 ? descriptor : ksm_os_set_length(descriptor, store->bytes);

	if (!error)
		error = ksm_os_describe_file(descriptor, &facts);
	if (error) {
		if (descriptor >= 0)
			ksm_os_close(descriptor);
		return error;
	}
	store->built = (struct ksm_store_file){
		.inode = facts.inode, .device = facts.device, .descriptor = ksm_os_keep_high(descriptor, HIGH),
	};
	store->built_pages = 0;
	store->built_huge_bytes = 0;
	/* It takes memory from now on, which the next step sees. */
	store->room_until = 0;
	return 0;
}

int ksm_store_add(struct ksm_store *store, const struct ksm_share_slice *slice, const struct ksm_share_set *pages)
{
	int error = store->built.inode ? 0 : begin_file(store);
	int64_t huge;

	if (error)
		return error;
	store->built_pages += ksm_share_count(pages);
	store->room -= ksm_min((uint64_t)ksm_share_count(pages) << KSM_PAGE_SHIFT, store->room);
	huge = ksm_huge_write(&store->huge, store->built.descriptor, slice->place, slice->address, pages);
	if (huge < 0)
		return (int)huge;
	store->built_huge_bytes += (uint64_t)huge;
	return 0;
}

/* Others may publish at once, and not when the lease is over. */
static void end_lease(struct ksm_store *store)
{
	struct ksmalloc_store_head *first = &store->tables->head.first;

	if (store->table < 0 || first->lease_pid != (uint32_t)store->pid || !first->lease_until ||
	    ksm_store_table_lock(store) != 0)
		return;
	if (ksm_store_table_read_head(store) == 0 && ksm_store_table_is_ours(store) &&
	    first->lease_pid == (uint32_t)store->pid) {
		first->lease_until = 0;
		ksm_store_table_write_head(store);
	}
	ksm_os_unlock(store->table);
}

void ksm_store_give_up(struct ksm_store *store)
{
	drop_built(store);
	end_lease(store);
}

static int enter_file(struct ksm_store *store)
{
	struct ksmalloc_store_list *head = &store->tables->head;
	int index = -ESTALE;

	if (ksm_store_table_read_head(store) == 0 && ksm_store_table_is_ours(store))
		index = free_record(store, 0);
	if (index < 0)
		return index;
	head->files[index] = (struct ksmalloc_store_record){ .inode = store->built.inode };
	hold(store, &head->files[index], store->built.descriptor);
	head->first.generation++;
	head->first.lease_until = 0;
	head->sights[index] = (struct ksmalloc_store_sight){
		.inode = store->built.inode,
		/* All of it is this process's. */
		.most = store->built_pages,
		.generation = (uint32_t)head->first.generation,
	};
	return ksm_store_table_write_head(store) == 0 ? index : -EIO;
}

/* What is built has taken milliseconds: it is not given up because one that has the lock waits for a processor. */
static int lock_to_publish(const struct ksm_store *store)
{
	int error = -EWOULDBLOCK;

	for (uint32_t i = 0; i < PATIENCE && error == -EWOULDBLOCK; i++)
		error = ksm_store_table_lock(store);
	return error;
}

int ksm_store_publish(struct ksm_store *store)
{
	struct ksm_share_file file = share_file(store, &store->built);
	int index = ksm_os_seal(store->built.descriptor);

	if (index == 0)
		index = ksm_share_check(&file);
	if (index == 0)
		index = lock_to_publish(store);
	if (index == 0) {
		index = enter_file(store);
		ksm_os_unlock(store->table);
	}
	if (index < 0) {
		ksm_store_give_up(store);
		return index;
	}
	store->files[index] = store->built;
	store->built.inode = 0;
	store->built_pages = 0;
	return index;
}
