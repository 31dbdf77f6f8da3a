/* SPDX-License-Identifier: BSD-2-Clause */
#include "pass/files.h"

#include "store/sight.h"

#include <string.h>

#define IDLE_PASSES 3u /* after which a file is closed that no page is mapped of */
/* Where of what is seen one in so many is alike it pays that all leave the file, though they see all of it. */
#define MANY 16u

static uint64_t bit(uint32_t index)
{
	return UINT64_C(1) << index;
}

static_assert(KSM_STORE_FILES <= 64, "a bit for each file");

/*
 * What of the file is a reason to keep it: pages that are seen, less those that were copied and would be shared again in
 * the next one, if they are many. A file may have no page for the latter, so that all that it has is seen.
 */
static uint32_t worth_of(const struct ksm_pass_files *files, uint32_t index)
{
	uint32_t seen = files->seen[index], alike = files->alike[index];

	return (uint64_t)alike * MANY < seen ? seen : seen - ksm_min(alike, seen);
}

/* True if another file has come to this place since it was looked at. */
static bool is_another(const struct ksm_pass_files *files, const struct ksm_store *store, uint32_t index)
{
	return files->inodes[index] != store->files[index].inode;
}

bool ksm_pass_files_begin(struct ksm_pass_files *files, const struct ksm_store *store)
{
	uint64_t before = files->going;
	bool is_new = false;

	files->going = files->late = 0;
	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		bool is_same = !is_another(files, store, i);

		if (ksm_store_is_given_up(store, i, is_same ? worth_of(files, i) : 0)) {
			files->going |= bit(i);
			is_new |= !is_same || !(before & bit(i));
		}
		if (!is_same)
			files->idle[i] = 0;
		files->inodes[i] = store->files[i].inode;
	}
	memset(files->mapped, 0, sizeof(files->mapped));
	memset(files->seen, 0, sizeof(files->seen));
	memset(files->huge, 0, sizeof(files->huge));
	memset(files->alike, 0, sizeof(files->alike));
	return is_new;
}

void ksm_pass_files_follow_one(struct ksm_pass_files *files, const struct ksm_store *store, uint32_t index)
{
	if (!is_another(files, store, index))
		return;
	files->inodes[index] = store->files[index].inode;
	files->mapped[index] = files->seen[index] = files->huge[index] = files->alike[index] = 0;
	files->idle[index] = 0;
	files->going &= ~bit(index);
	files->late &= ~bit(index);
}

void ksm_pass_files_follow(struct ksm_pass_files *files, const struct ksm_store *store)
{
	for (uint32_t i = 0; i < KSM_STORE_FILES; i++)
		ksm_pass_files_follow_one(files, store, i);
}

/* If there is another file at this place than the pass began with, the rest is about that from now on, which has come late. */
static void follow_late(struct ksm_pass_files *files, const struct ksm_store *store, uint32_t index)
{
	bool is_late = store->files[index].inode && is_another(files, store, index);

	ksm_pass_files_follow_one(files, store, index);
	if (is_late)
		files->late |= bit(index);
}

void ksm_pass_files_count(struct ksm_pass_files *files, const struct ksm_store *store, uint32_t index, uint32_t mapped,
			  uint32_t seen)
{
	follow_late(files, store, index);
	files->mapped[index] += mapped;
	files->seen[index] += seen;
}

void ksm_pass_files_count_alike(struct ksm_pass_files *files, uint64_t inode, uint32_t pages)
{
	for (uint32_t i = 0; i < KSM_STORE_FILES && pages > 0; i++) {
		if (files->inodes[i] == inode)
			files->alike[i] += pages;
	}
}

bool ksm_pass_files_is_going(const struct ksm_pass_files *files, const struct ksm_store *store, uint32_t index)
{
	return (files->going & bit(index)) && !is_another(files, store, index);
}

static uint32_t index_of(const struct ksm_store *store, uint64_t inode)
{
	uint32_t index = 0;

	while (index < KSM_STORE_FILES && store->files[index].inode != inode)
		index++;
	return index;
}

/*
 * Takes off what other files have of the slice that stay: newer ones all that they have, since it is what has become of it, older ones
 * what is equal. Where the file itself is not open any more (others had another one in its place before this process came by),
 * each one is newer.
 */
static int drop_what_others_have(const struct ksm_pass_files *files, struct ksm_store *store,
				 const struct ksm_share_work *work, struct ksm_pass_layer *layer)
{
	for (uint32_t i = 0; i < KSM_STORE_FILES && ksm_share_count(&layer->wanted) > 0; i++) {
		const struct ksm_share_file file = ksm_store_file(store, i);
		struct ksm_share_set theirs;
		int error;

		if (file.descriptor < 0 || i == layer->index || ksm_pass_files_is_going(files, store, i))
			continue;
		if (layer->index == KSM_STORE_FILES || ksm_store_is_newer(store, i, layer->index))
			error = ksm_share_find_data(&file, layer->place, &theirs);
		else
			error = ksm_share_find_equal(&file, work, layer->address, layer->place, &layer->wanted, &theirs);
		if (error)
			return error;
		ksm_share_drop(&layer->wanted, &theirs);
	}
	return 0;
}

/* Nothing is seen where the file has a hole. That of one that is not open any more cannot be told. */
static int drop_holes(struct ksm_store *store, struct ksm_pass_layer *layer)
{
	struct ksm_share_file file;
	struct ksm_share_set data;
	int error;

	if (layer->index == KSM_STORE_FILES)
		return 0;
	file = ksm_store_file(store, layer->index);
	error = ksm_share_find_data(&file, layer->place, &data);
	if (!error)
		ksm_share_keep(&layer->wanted, &data);
	return error;
}

int ksm_pass_files_decide(const struct ksm_pass_files *files, struct ksm_store *store, struct ksm_share_work *work,
			  struct ksm_pass_layer *layer)
{
	uint32_t wanted;
	int error;

	layer->fate = KSM_PASS_STAYS;
	layer->index = index_of(store, layer->inode);
	if (layer->index < KSM_STORE_FILES && !ksm_pass_files_is_going(files, store, layer->index))
		return 0;
	error = ksm_share_find_seen(work, layer->address, &layer->mapped, &layer->wanted);
	if (!error)
		error = drop_holes(store, layer);
	layer->seen = ksm_share_count(&layer->wanted);
	if (!error)
		error = drop_what_others_have(files, store, work, layer);
	if (error)
		return error;
	wanted = ksm_share_count(&layer->wanted);
	if (wanted * 2 <= layer->seen)
		layer->fate = KSM_PASS_IS_LEFT;
	/* Of a file that is not open others may see as much as ever. */
	else if (layer->index == KSM_STORE_FILES)
		layer->fate = KSM_PASS_STAYS;
	else if (wanted < KSM_SHARE_LEAST || !ksm_store_is_seen_by_others(store, layer->index))
		layer->fate = KSM_PASS_IS_LEFT;
	else
		layer->fate = KSM_PASS_IS_CARRIED_OVER;
	return 0;
}

void ksm_pass_files_count_left(struct ksm_pass_files *files, const struct ksm_pass_layer *layer)
{
	uint32_t mapped = ksm_share_count(&layer->mapped);
	uint32_t i = layer->index;

	if (i == KSM_STORE_FILES || files->inodes[i] != layer->inode)
		return;
	files->mapped[i] -= ksm_min(mapped, files->mapped[i]);
	files->seen[i] -= ksm_min(layer->seen, files->seen[i]);
}

/* What is taken for a moment when all of these pages are left: a run of them is copied at once (shared.h). */
static uint64_t bytes_besides(const struct ksm_share_set *mapped)
{
	struct ksm_share_run run = { 0, 0 };
	uint32_t longest = 0;

	while (ksm_share_next_run(mapped, &run))
		longest = ksm_max(longest, run.end - run.begin);
	return (uint64_t)longest << KSM_PAGE_SHIFT;
}

bool ksm_pass_files_take_room(struct ksm_store *store, const struct ksm_pass_layer *layer)
{
	return ksm_store_take_room_to_leave(store, (uint64_t)layer->seen << KSM_PAGE_SHIFT, bytes_besides(&layer->mapped),
					    ksm_store_holders(store, layer->index));
}

/* True if the file is not needed any more. One that has come late this pass has looked for in a part of the slices only. */
static bool is_done_with(struct ksm_pass_files *files, const struct ksm_store *store, uint32_t index)
{
	bool is_idle = store->files[index].inode && files->mapped[index] == 0;

	if (files->late & bit(index))
		return false;
	files->idle[index] = is_idle ? (uint8_t)(files->idle[index] + 1) : 0;
	return files->idle[index] >= IDLE_PASSES || (is_idle && ksm_pass_files_is_going(files, store, index));
}

/*
 * What this pass has seen of the file. Of one that has come late it is not known what this process will see: nothing, or a part, would
 * be a reason to give the file up when its publisher ends, or right now if it has. So the next pass has to be soon (ksm_pass_files_end()):
 * until then the others take it for all. Of one that was given up already no more will be seen; the others need not wait for that.
 */
static uint32_t seen_of(const struct ksm_pass_files *files, const struct ksm_store *store, uint32_t index, bool is_resting)
{
	if (!store->files[index].inode)
		return KSM_STORE_NOT_SEEN;
	if ((files->late & bit(index)) && !ksm_store_is_given_up(store, index, files->seen[index]))
		return KSM_STORE_NOT_SEEN;
	return is_resting ? worth_of(files, index) : files->seen[index];
}

bool ksm_pass_files_end(struct ksm_pass_files *files, struct ksm_store *store, bool is_resting)
{
	uint32_t seen[KSM_STORE_FILES];
	bool has_given_up;

	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		follow_late(files, store, i);
		seen[i] = seen_of(files, store, i, is_resting);
	}
	has_given_up = ksm_store_note_seen(store, seen, is_resting ? files->alike : NULL) > 0;
	for (uint32_t i = 0; i < KSM_STORE_FILES; i++) {
		if (!is_done_with(files, store, i))
			continue;
		ksm_store_let_go(store, i);
		files->idle[i] = 0;
	}
	return has_given_up;
}
